// Classifies a picture with a sparse checkpoint: the five best classes, the time, and how many
// layers run sparse. A program over sparsify's library alone; README.md shows how to build it.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "classifier.h"
#include "sparsity/base/error.h"
#include "sparsity/base/options_yaml.h"
#include "sparsity/data/checkpoint_transform.h"
#include "sparsity/executor/measure.h"
#include "sparsity/io/model_file.h"

namespace {

constexpr const char* kUsage =
    "usage: run_sparse [OPTIONS] CHECKPOINT IMAGE\n"
    "  CHECKPOINT          a sparsify checkpoint (.h5), or a network (.onnx) with --transform\n"
    "  IMAGE               a JPEG or PNG file\n"
    "  --runs=N            timed runs, default 50\n"
    "  --batch=N           the picture N times in a run, default 1\n"
    "  --threads=N         default 1\n"
    "  --dense             dense kernels alone, to compare with\n"
    "  --transform=YAML    how pictures become inputs, instead of what the checkpoint says, e.g.\n"
    "                      --transform=\"{resize: [224, 224], mean: [0.5], std: [0.25]}\"\n";

struct Arguments {
  std::string checkpoint;
  std::string image;
  std::string transform;
  int64_t runs = 50;
  /// As the benchmark makes its plans.
  sparsify::PlanOptions plan = sparsify::PlanOptionsOf({}, 1, 1);
  bool help = false;
};

int64_t ParseCount(std::string_view option, std::string_view text, int64_t most) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > most) {
    sparsify::FailUsage("command line", "{}\"{}\" is no number in 1 … {}", option, text, most);
  }
  return value;
}

void ParseOption(std::string_view argument, Arguments& result) {
  const size_t equals = std::min(argument.find('='), argument.size() - 1);
  const std::string_view option = argument.substr(0, equals + 1);
  const std::string_view value = argument.substr(equals + 1);
  if (option == "--runs=") {
    result.runs = ParseCount(option, value, 1'000'000);
  } else if (option == "--batch=") {
    result.plan.batch = ParseCount(option, value, 4096);
  } else if (option == "--threads=") {
    result.plan.threads = static_cast<int>(ParseCount(option, value, 1024));
  } else if (option == "--dense") {
    result.plan.allow_sparse = false;
  } else if (option == "--transform=") {
    result.transform = value;
  } else if (option == "--help") {
    result.help = true;
  } else {
    sparsify::FailUsage("command line", "unknown option \"{}\"; run_sparse --help lists all",
                        argument);
  }
}

Arguments ParseArguments(int argc, char** argv) {
  Arguments result;
  std::vector<std::string> files;
  for (const std::string_view argument : std::vector<std::string_view>(argv + 1, argv + argc)) {
    if (argument.starts_with("-")) {
      ParseOption(argument, result);
    } else {
      files.emplace_back(argument);
    }
  }
  if (result.help) return result;
  if (files.size() != 2) {
    sparsify::FailUsage("command line", "{} files, expected a checkpoint and an image; {}",
                        files.size(), "run_sparse --help shows how");
  }
  result.checkpoint = files[0];
  result.image = files[1];
  return result;
}

sparsify::TransformOptions TransformFor(const sparsify::Checkpoint& model, const Arguments& given) {
  if (!given.transform.empty()) {
    sparsify::TransformOptions options;
    sparsify::OptionsDocument::FromText(given.transform, "--transform").Read(options);
    return options;
  }
  const auto options = sparsify::TransformOf(model, given.checkpoint);
  if (!options) {
    sparsify::FailUsage(given.checkpoint,
                        "does not say how pictures become its input; give --transform=YAML, as "
                        "data.transform in a configuration");
  }
  return *options;
}

/// Milliseconds of each of `runs` runs, increasing; one more before them is not counted.
std::vector<double> Time(Classifier& network, int64_t runs) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  network.Run();
  for (int64_t i = 0; i < runs; ++i) {
    const Clock::time_point start = Clock::now();
    network.Run();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

void PrintBest(const float* scores, int64_t classes) {
  std::vector<int64_t> order(static_cast<size_t>(classes));
  std::iota(order.begin(), order.end(), 0);
  const auto best = order.begin() + std::min<int64_t>(5, classes);
  std::partial_sort(order.begin(), best, order.end(), [&](int64_t a, int64_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  });
  double sum = 0;
  for (int64_t i = 0; i < classes; ++i) sum += std::exp(double{scores[i]} - scores[order[0]]);
  std::printf("class  score       probability\n");
  for (auto it = order.begin(); it != best; ++it) {
    const double probability = std::exp(double{scores[*it]} - scores[order[0]]) / sum;
    std::printf("%5lld  %-10.6g  %.6f\n", static_cast<long long>(*it),
                static_cast<double>(scores[*it]), probability);
  }
}

void PrintTimes(const std::vector<double>& times, const Arguments& given,
                const sparsify::PlanReport& report) {
  const size_t n = times.size();
  const double median = (times[n / 2] + times[(n - 1) / 2]) / 2;
  std::printf("time   minimum %.4f ms, median %.4f ms of %zu runs; batch %lld, threads %d, %s\n",
              times.front(), median, n, static_cast<long long>(given.plan.batch),
              given.plan.threads, report.isa.c_str());
  std::printf("layers %lld of %lld run sparse\n", static_cast<long long>(report.SparseLayerCount()),
              static_cast<long long>(report.LayerCount()));
}

int Main(int argc, char** argv) {
  const Arguments given = ParseArguments(argc, argv);
  if (given.help) return std::fputs(kUsage, stdout) < 0 ? 1 : 0;
  const sparsify::Checkpoint model = sparsify::LoadModelFile(given.checkpoint);
  Classifier network(model, TransformFor(model, given), given.plan);
  network.Show(given.image);
  const std::vector<double> times = Time(network, given.runs);
  PrintBest(network.scores().data(), network.scores().size() / given.plan.batch);
  PrintTimes(times, given, network.report());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const sparsify::Error& error) {
    std::fprintf(stderr, "run_sparse: error: %s\n", error.what());
    return error.ExitCode();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "run_sparse: error: %s\n", error.what());
    return 1;
  }
}

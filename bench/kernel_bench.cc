// Times every variant of the sparse convolution against oneDNN's dense one on the layers of
// a network: outputs compared first, then interleaved in one process, minimum and median.
//
//   kernel_bench bench/shapes/resnet18.txt --batch 8 --density 0.5 0.1 --layer 2
#include <fmt/format.h>
#include <omp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <sstream>

#include "bench/buffer.h"
#include "bench/dense_conv.h"
#include "sparsity/base/random.h"
#include "sparsity/executor/isa.h"
#include "sparsity/executor/kernels/depthwise.h"
#include "sparsity/executor/kernels/sparse_conv.h"

namespace sparsify::bench {
namespace {

struct Options {
  std::string shapes;
  int64_t batch = 8;
  int lanes = 0;
  int threads = 1;
  int layer = -1;
  std::vector<double> densities = {0.5, 0.1};
  double seconds = 1;
  bool all = false;
  std::string filter;
};

/// Processor time of this thread when there is one, so that neighbours on a busy machine do
/// not count; else wall time.
double Milliseconds(bool of_thread) {
  timespec t{};
  clock_gettime(of_thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

struct Times {
  std::vector<double> ms;

  template <class Body>
  void Add(bool of_thread, const Body& body) {
    const double begin = Milliseconds(of_thread);
    body();
    ms.push_back(Milliseconds(of_thread) - begin);
  }
  double Min() const { return *std::min_element(ms.begin(), ms.end()); }
  double Median() const {
    std::vector<double> sorted = ms;
    const auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
  }
};

std::vector<ConvGeometry> ReadShapes(const Options& options) {
  std::ifstream file(options.shapes);
  std::vector<ConvGeometry> shapes;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    ConvGeometry g;
    int64_t pad = 0;
    fields >> g.in_channels >> g.out_channels >> g.in_h >> g.kernel_h >> g.stride_h >> pad >>
        g.groups;
    g.in_w = g.in_h;
    g.kernel_w = g.kernel_h;
    g.stride_w = g.stride_h;
    g.pad_top = g.pad_left = g.pad_bottom = g.pad_right = pad;
    g.out_h = g.out_w = (g.in_h + 2 * pad - g.kernel_h) / g.stride_h + 1;
    g.batch = options.batch;
    g.lanes = options.lanes > 0         ? options.lanes
              : options.batch % 16 == 0 ? 16
              : options.batch % 8 == 0  ? 8
                                        : 1;
    shapes.push_back(g);
  }
  return shapes;
}

template <class Body>
void ForPlain(const LaneShape& shape, const Body& body) {
  int64_t i = 0;
  for (int64_t n = 0; n < shape.batch; ++n) {
    for (int64_t c = 0; c < shape.channels; ++c) {
      for (int64_t y = 0; y < shape.height; ++y) {
        for (int64_t x = 0; x < shape.width; ++x) body(i++, shape.Offset(n, c, y, x));
      }
    }
  }
}

struct Problem {
  std::vector<float> x;
  std::vector<float> weight;
  std::vector<float> bias;
};

Problem MakeProblem(const ConvGeometry& g, double density) {
  Random random(1);
  const auto fill = [&](int64_t count) {
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(random.Uniform() * 2 - 1);
    return values;
  };
  Problem problem{fill(g.batch * g.in_channels * g.in_h * g.in_w), fill(g.out_channels * g.taps()),
                  fill(g.out_channels)};
  for (float& value : problem.weight) {
    if (random.Uniform() >= density) value = 0;
  }
  return problem;
}

struct Candidate {
  std::string name;
  std::function<void()> run;
  int64_t constant_bytes = 0;
  Times times;
};

bool IsDepthwise(const ConvGeometry& g) {
  return g.groups > 1 && g.groups == g.in_channels && g.groups == g.out_channels;
}

Candidate MakeDepthwise(const ConvGeometry& g, const Problem& problem, const LaneContext& context,
                        const LaneView& in, const LaneView& out) {
  const auto conv =
      std::make_shared<DepthwiseConv>(g, problem.weight.data(), problem.bias.data(),
                                      Epilogue{{ActivationKind::kRelu}, false}, context);
  return {"depthwise", [=] { conv->Run(in, nullptr, out); }, conv->constant_bytes(), {}};
}

Candidate MakeSparse(const ConvGeometry& g, const Problem& problem, const SparseVariant& variant,
                     int threads, const LaneView& in, const LaneView& out) {
  const auto conv =
      std::make_shared<SparseConv>(g, problem.weight.data(), problem.bias.data(),
                                   Epilogue{{ActivationKind::kRelu}, false}, variant, threads);
  const auto scratch = std::make_shared<Buffer>(conv->scratch_bytes());
  return {variant.name,
          [=] { conv->Run(in, nullptr, out, scratch->data()); },
          conv->constant_bytes(),
          {}};
}

std::vector<Candidate> MakeCandidates(const Options& options, const ConvGeometry& g, double density,
                                      const Problem& problem, const LaneView& in,
                                      const LaneView& out) {
  const Isa isa = DetectIsa();
  std::vector<Candidate> candidates;
  if (IsDepthwise(g)) {
    candidates.push_back(MakeDepthwise(g, problem, {isa, options.threads}, in, out));
    return candidates;
  }
  auto variants = options.all ? AllSparseVariants(g, isa) : SparseVariants(g, density, isa);
  if (density == 1) variants = {DenseVariant(g, isa)};
  for (const SparseVariant& variant : variants) {
    if (variant.name.find(options.filter) == std::string::npos) continue;
    candidates.push_back(MakeSparse(g, problem, variant, options.threads, in, out));
  }
  return candidates;
}

/// Runs each candidate once; drops, and names, those whose outputs are not the dense ones. Returns
/// how many.
size_t DropWrong(const ConvGeometry& g, const LaneView& out, const std::vector<float>& expected,
                 std::vector<Candidate>& candidates) {
  return std::erase_if(candidates, [&](const Candidate& candidate) {
    const float nothing = std::numeric_limits<float>::quiet_NaN();
    ForPlain(g.OutShape(), [&](int64_t, int64_t at) { out.data[at] = nothing; });
    candidate.run();
    double error = 0;
    ForPlain(g.OutShape(), [&](int64_t i, int64_t at) {
      const double difference = std::abs(out.data[at] - expected[i]);
      if (!(difference <= error)) error = difference;  // NaN too, which stays
    });
    if (error <= 1e-5 * static_cast<double>(g.taps())) return false;
    fmt::print("{}: wrong by {}, not timed\n", candidate.name, error);
    return true;
  });
}

/// Returns whether all candidates were right.
bool BenchLayer(const Options& options, const ConvGeometry& g, double density) {
  const Problem problem = MakeProblem(g, density);
  DenseConv dense(g, problem.x, problem.weight, problem.bias);
  dense.Run();
  const Buffer in(g.InShape().size() * 4);
  const Buffer out(g.OutShape().size() * 4);
  ForPlain(g.InShape(), [&](int64_t i, int64_t at) { in.data()[at] = problem.x[i]; });
  const LaneView out_view{out.data(), g.OutShape()};
  auto candidates =
      MakeCandidates(options, g, density, problem, {in.data(), g.InShape()}, out_view);
  const size_t wrong = DropWrong(g, out_view, dense.Plain(), candidates);
  Times dense_times;
  const bool alone = options.threads == 1;
  const double end = Milliseconds(false) + options.seconds * 1e3;
  while (Milliseconds(false) < end || dense_times.ms.size() < 5) {
    dense_times.Add(alone, [&] { dense.Run(); });
    for (Candidate& c : candidates) c.times.Add(alone, c.run);
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return a.times.Median() < b.times.Median();
  });
  fmt::print("{}>{}@{} k{} s{} g{} density {:.2f}: dense {:.3f}/{:.3f} ms {} ({:.0f} GMAC/s)\n",
             g.in_channels, g.out_channels, g.in_h, g.kernel_h, g.stride_h, g.groups, density,
             dense_times.Min(), dense_times.Median(), dense.name(),
             static_cast<double>(g.macs()) / dense_times.Min() / 1e6);
  for (const Candidate& c : candidates) {
    fmt::print("   {:28} {:.3f}/{:.3f} ms  speed-up min {:.2f} median {:.2f}  {:.0f} KB\n", c.name,
               c.times.Min(), c.times.Median(), dense_times.Min() / c.times.Min(),
               dense_times.Median() / c.times.Median(),
               static_cast<double>(c.constant_bytes) / 1024);
  }
  std::cout << std::flush;
  return wrong == 0;
}

}  // namespace
}  // namespace sparsify::bench

int main(int argc, char** argv) {
  using namespace sparsify::bench;
  Options options;
  CLI::App app("sparse convolution kernels against oneDNN");
  app.add_option("shapes", options.shapes, "a file of bench/shapes")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--batch", options.batch, "images");
  app.add_option("--lanes", options.lanes, "1, 8 or 16; default: by batch");
  app.add_option("--threads", options.threads, "threads of both sides");
  app.add_option("--layer", options.layer, "only this line of the file, from 0");
  app.add_option("--density", options.densities, "fractions of nonzero weights");
  app.add_option("--seconds", options.seconds, "for each layer and density");
  app.add_flag("--all", options.all, "every variant of the table, not only the promising ones");
  app.add_option("--filter", options.filter, "only variants whose name contains this");
  CLI11_PARSE(app, argc, argv);
  omp_set_num_threads(options.threads);
  const auto shapes = ReadShapes(options);
  if (shapes.empty() || options.layer >= std::ssize(shapes)) {
    fmt::print(stderr, "kernel_bench: error: {} has {} layers\n", options.shapes, shapes.size());
    return 2;
  }
  bool right = true;
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (options.layer >= 0 && static_cast<size_t>(options.layer) != i) continue;
    for (const double density : options.densities) {
      right = BenchLayer(options, shapes[i], density) && right;
    }
  }
  return right ? 0 : 1;
}

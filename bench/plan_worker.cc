// A plan of a model file behind a pipe: bench/peers/compare.py times it in turn with other
// engines. Commands come one a line on the standard input, each answered by one line:
//   (start)        "ready\t<version>\t<what the plan is>"
//   input FILE     "ok": raw floats for the network's inputs, in order
//   run N          "times" and N times of one inference each, in milliseconds
//   outputs FILE   "ok": runs once and writes the outputs as raw floats, in order
//   quit           ends, as does the end of the input
// A failure is answered by "error\t<message>" and ends the program.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/executor/plan.h"
#include "sparsity/io/onnx.h"
#include "sparsity/ops/onednn.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {
namespace {

struct WorkerOptions {
  std::string model;
  PlanOptions plan;
};

int64_t CountSparse(const PlanReport& report) {
  int64_t count = 0;
  for (const StepReport& step : report.steps) {
    count += step.is_layer && step.kernel.starts_with("sparse") ? 1 : 0;
  }
  return count;
}

int64_t CountLayers(const PlanReport& report) {
  int64_t count = 0;
  for (const StepReport& step : report.steps) count += step.is_layer ? 1 : 0;
  return count;
}

class Worker {
 public:
  explicit Worker(const WorkerOptions& options);

  /// Answers commands until "quit" or the end of the input.
  void Serve(std::istream& commands);

 private:
  void ReadInputs(const std::string& path);
  void WriteOutputs(const std::string& path);
  std::string Times(int64_t count) const;
  std::string Description() const;

  double seconds_to_plan_ = 0;  // set while plan_ is made
  Plan plan_;
  bool sparse_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
  std::vector<const float*> in_;
  std::vector<float*> out_;
};

Plan TimedPlan(const WorkerOptions& options, double* seconds) {
  const Graph graph = LoadOnnx(options.model);
  const auto start = std::chrono::steady_clock::now();
  Plan plan(graph, options.plan);
  *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return plan;
}

Worker::Worker(const WorkerOptions& options)
    : plan_(TimedPlan(options, &seconds_to_plan_)), sparse_(options.plan.allow_sparse) {
  for (const Shape& shape : plan_.input_shapes()) {
    in_.push_back(inputs_.emplace_back(shape).data());
  }
  for (const Shape& shape : plan_.output_shapes()) {
    out_.push_back(outputs_.emplace_back(shape).data());
  }
}

std::string Worker::Description() const {
  const PlanReport& report = plan_.report();
  if (!sparse_) return fmt::format("{}, planned in {:.2f} s", report.isa, seconds_to_plan_);
  return fmt::format("{}, {} of {} layers sparse, planned in {:.2f} s", report.isa,
                     CountSparse(report), CountLayers(report), seconds_to_plan_);
}

void Worker::ReadInputs(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Fail(path, "cannot be opened");
  for (Tensor& input : inputs_) {
    const auto bytes = static_cast<std::streamsize>(input.size() * int64_t{sizeof(float)});
    if (!file.read(reinterpret_cast<char*>(input.data()), bytes)) {
      Fail(path, "ends early; an input of {} floats is expected", input.size());
    }
  }
  if (file.peek() != std::ifstream::traits_type::eof()) {
    Fail(path, "is larger than the network's inputs");
  }
}

void Worker::WriteOutputs(const std::string& path) {
  plan_.Run(in_, out_);
  std::ofstream file(path, std::ios::binary);
  for (const Tensor& output : outputs_) {
    file.write(reinterpret_cast<const char*>(output.data()),
               static_cast<std::streamsize>(output.size() * int64_t{sizeof(float)}));
  }
  if (!file.flush()) Fail(path, "cannot be written");
}

std::string Worker::Times(int64_t count) const {
  std::string answer = "times";
  for (int64_t i = 0; i < count; ++i) {
    const auto start = std::chrono::steady_clock::now();
    plan_.Run(in_, out_);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    answer += fmt::format(" {:.6f}", time.count());
  }
  return answer;
}

int64_t ParseCount(const std::string& text) {
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 1) {
    FailUsage("plan_worker", "run \"{}\": expected a positive number", text);
  }
  return count;
}

void Answer(std::string_view line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Worker::Serve(std::istream& commands) {
  Answer(
      fmt::format("ready\t{} (oneDNN {})\t{}", SPARSIFY_VERSION, OnednnVersion(), Description()));
  std::string line;
  while (std::getline(commands, line) && line != "quit") {
    const size_t space = line.find(' ');
    const std::string command = line.substr(0, space);
    const std::string argument = space == std::string::npos ? "" : line.substr(space + 1);
    if (command == "run") {
      Answer(Times(ParseCount(argument)));
    } else if (command == "input") {
      ReadInputs(argument);
      Answer("ok");
    } else if (command == "outputs") {
      WriteOutputs(argument);
      Answer("ok");
    } else {
      FailUsage("plan_worker", "unknown command \"{}\"; known: input, run, outputs, quit", line);
    }
  }
}

}  // namespace
}  // namespace sparsify

int main(int argc, char** argv) {
  sparsify::WorkerOptions options;
  CLI::App app("Serves a dense or a sparse plan of a model over the standard input and output.");
  app.add_option("model", options.model, "ONNX file")->required();
  app.add_option("--batch", options.plan.batch, "images a run");
  app.add_option("--threads", options.plan.threads, "worker threads");
  app.add_flag("--sparse,!--dense", options.plan.allow_sparse, "which plan (sparse)");
  app.add_flag("--winograd", options.plan.winograd, "Winograd's algorithm in dense layers");
  app.add_option("--plan-cache", options.plan.cache_folder, "folder that keeps the kernels chosen");
  CLI11_PARSE(app, argc, argv);
  try {
    sparsify::Worker(options).Serve(std::cin);
  } catch (const sparsify::Error& error) {
    sparsify::Answer(fmt::format("error\t{}", error.what()));
    return error.ExitCode();
  } catch (const std::exception& error) {
    sparsify::Answer(fmt::format("error\tplan_worker: {}", error.what()));
    return 1;
  }
  return 0;
}

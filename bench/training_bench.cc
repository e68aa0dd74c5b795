// One side of bench/training_step.py: training steps of a whole network on one batch.
//
//   training_bench MODEL.onnx FOLDER THREADS [f32|bf16]
//
// FOLDER holds problem.txt ("batch rate"), images (float32, N×C×H×W) and labels.txt. Lines on
// standard input, one line of answer each:
//   "gradients"  the loss; writes FOLDER/gradients (float32, one after the other) and
//                gradients.txt (a line "name elements" each)
//   "step N"     takes N steps; the milliseconds of each (of processor time with one thread)
//   "phases N"   the same, in all: forward, loss, backward, update
#include <fmt/format.h>

#include <array>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "bench/stopwatch.h"
#include "sparsity/base/error.h"
#include "sparsity/io/onnx.h"
#include "sparsity/ops/graph_pass.h"
#include "sparsity/training/losses.h"
#include "sparsity/training/optimizer.h"

namespace sparsify {
namespace {

constexpr float kRunningShare = 0.1F;  // of a batch in the running statistics

class Bench {
 public:
  Bench(const std::string& model, const std::string& folder, Precision precision)
      : folder_(folder),
        graph_(LoadOnnx(model)),
        pass_(GraphPass::WholeNetwork(graph_, BatchNormMode::kTraining, precision)),
        optimizer_(OptimizerOptions()) {
    ReadBatch();
    for (const Node& node : graph_.nodes()) {
      const bool normalises = node.type == OpType::kBatchNormalization;
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const ValueId id = node.inputs[i];
        if (id == kNoValue || !graph_.value(id).is_parameter) continue;
        if (!(normalises && i >= 3)) gradients_[id];
      }
    }
    for (const auto& [id, gradient] : gradients_) {
      const Value& value = graph_.value(id);
      optimizer_.Add(value.name, value.data.shape(), true);
    }
  }

  void Answer(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    int64_t count = 0;
    words >> command >> count;
    if (command == "gradients") WriteGradients();
    std::array<double, 4> sums = {};
    for (int64_t i = 0; i < count; ++i) {
      const auto times = Step();
      double all = 0;
      for (size_t k = 0; k < times.size(); ++k) {
        sums[k] += times[k];
        all += times[k];
      }
      if (command == "step") fmt::print("{:.4f} ", all);
    }
    if (command == "phases") fmt::print("{:.4f}", fmt::join(sums, " "));
    fmt::print("\n");
    std::fflush(stdout);
  }

 private:
  void ReadBatch() {
    std::ifstream problem(folder_ + "/problem.txt");
    int64_t batch = 0;
    problem >> batch >> rate_;
    if (!problem) Fail(folder_ + "/problem.txt", "two numbers expected");
    std::vector<int64_t> dims = graph_.inputs.at(0).shape.dims();
    dims[0] = batch;
    images_ = Tensor(Shape(dims));
    std::ifstream file(folder_ + "/images", std::ios::binary);
    file.read(reinterpret_cast<char*>(images_.data()), images_.size() * 4);
    if (!file) Fail(folder_ + "/images", "{} numbers expected", images_.size());
    std::ifstream labels(folder_ + "/labels.txt");
    for (int64_t label = 0; labels >> label;) labels_.push_back(label);
  }

  void Forward() { pass_.Forward({{graph_.inputs[0].value, &images_}}, {}); }

  double Loss() {
    return CrossEntropy(pass_.Output(graph_.outputs[0].value), labels_, 0, &grad_logits_);
  }

  void Backward() { pass_.Backward({{graph_.outputs[0].value, &grad_logits_}}, gradients_); }

  void Update() {
    size_t index = 0;
    for (const auto& [id, gradient] : gradients_) {
      optimizer_.Step(index++, gradient, rate_, nullptr, graph_.mutable_value(id).data);
    }
    for (const BatchStatistics& of : pass_.batch_statistics()) {
      const Node& node = graph_.node(of.node);
      Blend(of.mean, graph_.mutable_value(node.inputs[3]).data);
      Blend(of.variance, graph_.mutable_value(node.inputs[4]).data);
    }
  }

  static void Blend(const Tensor& batch, Tensor& running) {
    for (int64_t i = 0; i < running.size(); ++i) {
      running[i] += kRunningShare * (batch[i] - running[i]);
    }
  }

  std::array<double, 4> Step() {
    std::array<double, 5> at = {};
    at[0] = Milliseconds();
    Forward();
    at[1] = Milliseconds();
    Loss();
    at[2] = Milliseconds();
    Backward();
    at[3] = Milliseconds();
    Update();
    at[4] = Milliseconds();
    std::array<double, 4> times = {};
    for (size_t k = 0; k < times.size(); ++k) times[k] = at[k + 1] - at[k];
    return times;
  }

  void WriteGradients() {
    Forward();
    fmt::print("{:.9g}", Loss());
    Backward();
    std::ofstream values(folder_ + "/gradients", std::ios::binary);
    std::ofstream names(folder_ + "/gradients.txt");
    for (const auto& [id, gradient] : gradients_) {
      values.write(reinterpret_cast<const char*>(gradient.data()), gradient.size() * 4);
      names << graph_.value(id).name << ' ' << gradient.size() << '\n';
    }
  }

  const std::string folder_;
  Graph graph_;
  GraphPass pass_;
  Optimizer optimizer_;
  Tensor images_;
  std::vector<int64_t> labels_;
  double rate_ = 0;
  Tensor grad_logits_;
  std::map<ValueId, Tensor> gradients_;
};

int Main(int argc, char** argv) {
  const std::string precision = argc > 4 ? argv[4] : "f32";
  if (argc < 4 || argc > 5 || (precision != "f32" && precision != "bf16")) {
    fmt::print(stderr, "usage: training_bench MODEL.onnx FOLDER THREADS [f32|bf16]\n");
    return 2;
  }
  const bool bf16 = precision == "bf16";
  if (bf16 && !Bf16Obstacle().empty()) Fail("bf16", "{}", Bf16Obstacle());
  SetThreads(std::stoi(argv[3]));
  Bench bench(argv[1], argv[2], bf16 ? Precision::kBf16 : Precision::kF32);
  for (std::string line; std::getline(std::cin, line);) bench.Answer(line);
  return 0;
}

}  // namespace
}  // namespace sparsify

int main(int argc, char** argv) {
  try {
    return sparsify::Main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "training_bench: error: {}\n", error.what());
    return 1;
  }
}

// One side of bench/layer_reconstruction.py: optimiser steps of one layer, a few at a time.
//
//   reconstruction_bench FOLDER THREADS
//
// FOLDER holds problem.txt ("in out size kernel stride pad groups batch rate") and float32 files
// x, y (targets behind the ReLU), w (pruned weights are 0) and b. Lines on standard input:
// "step N" runs N steps and answers with the milliseconds of each (of
// processor time with one thread); "weights" writes w_trained.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "bench/stopwatch.h"
#include "reconstruction/unit_trainer.h"
#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

struct Problem {
  int64_t in, out, size, kernel, stride, pad, groups, batch;
  double rate;
};

Problem ReadProblem(const std::string& folder) {
  std::ifstream file(folder + "/problem.txt");
  Problem p = {};
  file >> p.in >> p.out >> p.size >> p.kernel >> p.stride >> p.pad >> p.groups >> p.batch >> p.rate;
  if (!file) Fail(folder + "/problem.txt", "nine numbers expected");
  return p;
}

Tensor ReadFloats(const std::string& path, const Shape& shape) {
  std::ifstream file(path, std::ios::binary);
  Tensor tensor = Tensor::Uninitialized(shape);
  file.read(reinterpret_cast<char*>(tensor.data()), tensor.size() * 4);
  if (!file) Fail(path, "{} numbers expected", tensor.size());
  return tensor;
}

// Convolution and ReLU.
Graph MakeGraph(const Problem& p, const std::string& folder) {
  Graph graph;
  graph.name = "layer";
  const Shape weight = {p.out, p.in / p.groups, p.kernel, p.kernel};
  const ValueId x = graph.AddActivation("x");
  const ValueId w = graph.AddParameter("conv.weight", ReadFloats(folder + "/w", weight));
  const ValueId b = graph.AddParameter("conv.bias", ReadFloats(folder + "/b", {p.out}));
  const ValueId y = graph.AddActivation("y");
  const ValueId z = graph.AddActivation("z");
  Attributes attributes;
  attributes.Set("kernel_shape", std::vector<int64_t>{p.kernel, p.kernel});
  attributes.Set("strides", std::vector<int64_t>{p.stride, p.stride});
  attributes.Set("pads", std::vector<int64_t>(4, p.pad));
  attributes.Set("group", p.groups);
  graph.AddNode({"conv", OpType::kConv, {x, w, b}, {y}, attributes});
  graph.AddNode({"relu", OpType::kRelu, {y}, {z}, {}});
  graph.inputs = {{x, Shape{-1, p.in, p.size, p.size}}};
  const int64_t output = (p.size + 2 * p.pad - p.kernel) / p.stride + 1;
  graph.outputs = {{z, Shape{-1, p.out, output, output}}};
  graph.SortAndCheck();
  return graph;
}

class Bench {
 public:
  explicit Bench(const std::string& folder)
      : problem_(ReadProblem(folder)),
        folder_(folder),
        graph_(MakeGraph(problem_, folder)),
        layers_(FindLayers(graph_, InferShapes(graph_, 1))),
        unit_(FindUnits(graph_, layers_, UnitPattern::kLayer).at(0)),
        blocks_(ImageBlocks::Make(problem_.batch, 0, problem_.batch)),
        x_(blocks_, RowOf(graph_.inputs[0].shape), budget_),
        y_(blocks_, RowOf(graph_.outputs[0].shape), budget_) {
    options_.max_count = 0;
    options_.early_stop = 0;
    options_.weight_lr = problem_.rate;
    Value& weight = graph_.mutable_value(graph_.FindValue("conv.weight"));
    masks_["conv.weight"] = MaskOfNonZeros(weight.data);
    Store("x", x_);
    Store("y", y_);
    parameters_.emplace(graph_, graph_, layers_, unit_, masks_, options_);
    UnitData data;
    data.inputs[unit_.inputs[0]] = &x_;
    data.targets[unit_.outputs[0]] = &y_;
    trainer_.emplace(graph_, unit_, data, blocks_, *parameters_, options_, Random(1));
  }

  void Answer(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    int64_t count = 0;
    words >> command >> count;
    if (command != "step" && command != "weights") {
      Fail("reconstruction_bench", "unknown command \"{}\"; known: step, weights", command);
    }
    if (command == "weights") {
      const Tensor& weight = graph_.value(graph_.FindValue("conv.weight")).data;
      std::ofstream file(folder_ + "/w_trained", std::ios::binary);
      file.write(reinterpret_cast<const char*>(weight.data()), weight.size() * 4);
    }
    for (int64_t i = 0; i < count; ++i) {
      ++options_.max_count;
      const double start = Milliseconds();
      trainer_->Run(nullptr);
      fmt::print("{:.4f} ", Milliseconds() - start);
    }
    fmt::print("\n");
    std::fflush(stdout);
  }

 private:
  static Shape RowOf(const Shape& shape) {
    return Shape({shape.dims().begin() + 1, shape.dims().end()});
  }

  void Store(const std::string& name, ActivationStore& store) {
    std::vector<int64_t> dims = {problem_.batch};
    dims.insert(dims.end(), store.row().dims().begin(), store.row().dims().end());
    store.Write(0, ReadFloats(folder_ + "/" + name, Shape(dims)));
  }

  const Problem problem_;
  const std::string folder_;
  Graph graph_;
  const std::vector<Layer> layers_;
  const Unit unit_;
  const ImageBlocks blocks_;
  MemoryBudget budget_{int64_t{1} << 40};
  ActivationStore x_;
  ActivationStore y_;
  std::map<std::string, Mask> masks_;
  UnitRepairOptions options_;
  std::optional<UnitParameters> parameters_;
  std::optional<UnitTrainer> trainer_;
};

int Main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: reconstruction_bench FOLDER THREADS\n");
    return 2;
  }
  SetThreads(std::stoi(argv[2]));
  Bench bench(argv[1]);
  for (std::string line; std::getline(std::cin, line);) bench.Answer(line);
  return 0;
}

}  // namespace
}  // namespace sparsify

int main(int argc, char** argv) {
  try {
    return sparsify::Main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "reconstruction_bench: error: {}\n", error.what());
    return 1;
  }
}

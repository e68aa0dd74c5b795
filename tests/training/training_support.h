// A network, images and rules small enough to be trained in a test.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "schedulers/masked_rule.h"
#include "sparsity/base/log.h"
#include "sparsity/graph/layers.h"
#include "sparsity/mask/normal_mask_generator.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/training/trainer.h"
#include "tests/support/graph_builder.h"
#include "tests/support/oracle.h"

namespace sparsify::testing {

/// Numbers between −0.5 and 0.5, as trainer_pytorch.py makes them.
inline Tensor Numbers(int64_t tag, const Shape& shape, double factor = 1, double offset = 0) {
  Tensor tensor(shape);
  for (int64_t k = 0; k < tensor.size(); ++k) {
    const int64_t number = (k + 1) * (2 * tag + 7) * 7919 % 1009;
    tensor[k] = static_cast<float>(offset + factor * (static_cast<double>(number) / 1009 - 0.5));
  }
  return tensor;
}

/// Image i is 4 · Numbers(100 + i), its class i % 3.
class FormulaImages : public Dataset {
 public:
  explicit FormulaImages(int64_t count, Shape shape = {2, 5, 5})
      : count_(count), shape_(std::move(shape)) {}

  int64_t size() const override { return count_; }
  Shape image_shape() const override { return shape_; }
  int64_t Load(int64_t i, float* image) const override {
    if (broken.contains(i)) throw SampleSkipped(NameOf(i) + ": is broken");
    const Tensor tensor = Numbers(100 + i, shape_, 4);
    std::memcpy(image, tensor.data(), static_cast<size_t>(tensor.size()) * sizeof(float));
    if (i == not_a_number) image[1] = std::numeric_limits<float>::quiet_NaN();
    return i == unlabelled ? -1 : i % 3;
  }
  std::string NameOf(int64_t i) const override { return fmt::format("img{}.png", i); }

  std::set<int64_t> broken;
  int64_t unlabelled = -1;
  int64_t not_a_number = -1;

 private:
  int64_t count_;
  Shape shape_;
};

/// Convolution 2→4 of 3×3 – (batch norm) – ReLU – global average – fully connected 4→3 (– Softmax),
/// with the numbers of trainer_pytorch.py.
inline Graph TinyNet(int64_t tag = 0, bool norm = true, bool softmax = false,
                     int64_t fixed_batch = -1) {
  GraphBuilder b("tiny");
  const ValueId x = b.Input({2, 5, 5});
  ValueId y = b.Conv("conv", x, 2, 4, 3, 1, 1, true);
  if (norm) y = b.BatchNorm("bn", y, 4);
  y = b.Op(OpType::kGlobalAveragePool, "pool", {b.Relu("relu", y)});
  y = b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {y}, {{"axis", int64_t{1}}}), 4, 3);
  if (softmax) y = b.Op(OpType::kSoftmax, "softmax", {y}, {{"axis", int64_t{1}}});
  Graph graph = b.Finish({y});
  const auto set = [&](const std::string& name, int64_t part, double factor, double offset = 0) {
    Tensor& data = graph.mutable_value(graph.FindValue(name)).data;
    data = Numbers(tag + part, data.shape(), factor, offset);
  };
  set("conv.weight", 1, 0.8);
  set("conv.bias", 2, 0.2);
  set("fc.weight", 3, 1.5);
  set("fc.bias", 4, 0.2);
  if (norm) {
    set("bn.weight", 5, 0.4, 1);
    set("bn.bias", 6, 0.2);
    set("bn.running_mean", 7, 0.2);
    set("bn.running_var", 8, 0.5, 1);
  }
  if (fixed_batch > 0) graph.inputs[0].shape.set_dim(0, fixed_batch);
  return graph;
}

inline const Tensor& ParameterOf(const Graph& graph, const std::string& name) {
  return graph.value(graph.FindValue(name)).data;
}

/// Batches of 4, every step a row, nothing random but the order.
inline TrainingOptions TinyOptions() {
  TrainingOptions options;
  options.batch = 4;
  options.lr = 0.2;
  options.weight_decay = 0.1;
  options.label_smoothing = 0.1;
  options.augment.crop = false;
  options.augment.flip = false;
  options.log_interval = 1;
  return options;
}

/// A run that owns what a TrainingTask refers to. Both layers are pruned by magnitude if `sparsity`
/// is 0 or more.
struct TinyRun {
  explicit TinyRun(double sparsity = -1, bool mask_is_static = true, Graph network = TinyNet())
      : graph(std::move(network)), layers(FindLayers(graph, InferShapes(graph, Batch()))) {
    if (sparsity < 0) return;
    per_layer.assign(layers.size(), sparsity);
    rule = std::make_unique<MaskedRule>(
        "BaseScheduler",
        RuleContext{std::make_shared<NormalMaskGenerator>(NormalMaskOptions{}), mask_is_static, 5});
  }

  int64_t Batch() const { return std::max<int64_t>(1, graph.inputs[0].shape[0]); }

  TrainingResult Train(int64_t steps) {
    return sparsify::Train({.graph = graph,
                            .layers = layers,
                            .data = data,
                            .label_offset = label_offset,
                            .teacher = teacher,
                            .seed = seed,
                            .steps = steps,
                            .rule = rule.get(),
                            .sparsity = per_layer,
                            .title = {},
                            .start = start,
                            .state_path = state_path,
                            .on_row = on_row,
                            .ranks = ranks},
                           options);
  }

  std::string Message(int64_t steps = 6) {
    return MessageOf([&] { Train(steps); });
  }

  const Tensor& operator[](const std::string& name) const { return ParameterOf(graph, name); }

  Graph graph;
  std::vector<Layer> layers;
  FormulaImages data = FormulaImages(10);
  TrainingOptions options = TinyOptions();
  int64_t label_offset = 0;
  const Graph* teacher = nullptr;
  uint64_t seed = 5;
  std::unique_ptr<PruningRule> rule;
  std::vector<double> per_layer;
  std::optional<TrainingState> start;
  std::string state_path;
  std::function<void(const std::vector<TrainingRow>&)> on_row;
  Communicator* ranks = nullptr;
};

inline bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         (a.empty() ||  // which may have no memory
          std::memcmp(a.data(), b.data(), static_cast<size_t>(a.size()) * sizeof(float)) == 0);
}

/// Every parameter of the graph, bit by bit.
inline bool SameBits(const Graph& a, const Graph& b) {
  for (size_t i = 0; i < a.values().size(); ++i) {
    if (a.values()[i].is_parameter && !SameBits(a.values()[i].data, b.values()[i].data)) {
      return false;
    }
  }
  return a.values().size() == b.values().size();
}

inline bool SameBits(const std::map<std::string, Tensor>& a,
                     const std::map<std::string, Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && SameBits(x.second, y.second);
  });
}

}  // namespace sparsify::testing

#include "tests/support/graph_builder.h"

#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/op.h"
#include "tests/support/random_tensor.h"

namespace sparsify::testing {
namespace {

Tensor Scaled(Tensor tensor, double factor, double offset = 0) {
  for (float& v : tensor.values()) v = static_cast<float>(v * factor + offset);
  return tensor;
}

Attributes ToAttributes(const AttributeList& list) {
  Attributes attributes;
  for (const auto& [name, value] : list) attributes.Set(name, value);
  return attributes;
}

}  // namespace

GraphBuilder::GraphBuilder(std::string name, uint64_t seed) : random_(seed) {
  graph_.name = std::move(name);
}

ValueId GraphBuilder::Input(const Shape& image, const std::string& name) {
  const ValueId id = graph_.AddActivation(name);
  std::vector<int64_t> dims = {-1};
  dims.insert(dims.end(), image.dims().begin(), image.dims().end());
  graph_.inputs.push_back({id, Shape(dims)});
  return id;
}

ValueId GraphBuilder::Parameter(const std::string& name, Tensor data) {
  return graph_.AddParameter(name, std::move(data));
}

ValueId GraphBuilder::Op(OpType type, const std::string& name, std::vector<ValueId> inputs,
                         const AttributeList& attributes) {
  const ValueId out = graph_.AddActivation(name + ".out");
  graph_.AddNode({name, type, std::move(inputs), {out}, ToAttributes(attributes)});
  return out;
}

ValueId GraphBuilder::Conv(const std::string& name, ValueId x, int64_t in, int64_t out,
                           int64_t kernel, int64_t stride, int64_t groups, bool bias) {
  const Shape shape = {out, in / groups, kernel, kernel};
  const double gain = std::sqrt(2.0 / static_cast<double>(shape.NumElements() / out));
  std::vector<ValueId> inputs = {
      x, Parameter(name + ".weight", Scaled(RandomTensor(random_, shape), gain))};
  if (bias) inputs.push_back(Parameter(name + ".bias", RandomTensor(random_, {out})));
  const int64_t pad = kernel / 2;
  return Op(OpType::kConv, name, inputs,
            {{"kernel_shape", std::vector<int64_t>{kernel, kernel}},
             {"strides", std::vector<int64_t>{stride, stride}},
             {"pads", std::vector<int64_t>{pad, pad, pad, pad}},
             {"group", groups}});
}

ValueId GraphBuilder::BatchNorm(const std::string& name, ValueId x, int64_t channels) {
  const Shape shape = {channels};
  Tensor variance = RandomTensor(random_, shape);
  for (float& v : variance.values()) v = 0.5F + v * v;
  return Op(OpType::kBatchNormalization, name,
            {x, Parameter(name + ".weight", Scaled(RandomTensor(random_, shape), 0.3, 1)),
             Parameter(name + ".bias", Scaled(RandomTensor(random_, shape), 0.3)),
             Parameter(name + ".running_mean", Scaled(RandomTensor(random_, shape), 0.3)),
             Parameter(name + ".running_var", std::move(variance))},
            {{"epsilon", 1e-5}});
}

ValueId GraphBuilder::Linear(const std::string& name, ValueId x, int64_t in, int64_t out) {
  const double gain = std::sqrt(1.0 / static_cast<double>(in));
  return Op(OpType::kGemm, name,
            {x, Parameter(name + ".weight", Scaled(RandomTensor(random_, {out, in}), gain)),
             Parameter(name + ".bias", RandomTensor(random_, {out}))},
            {{"transB", int64_t{1}}});
}

Graph GraphBuilder::Finish(const std::vector<ValueId>& outputs) {
  for (const ValueId id : outputs) graph_.outputs.push_back({id, Shape{}});
  graph_.SortAndCheck();
  const auto shapes = InferShapes(graph_, 1);
  for (Port& port : graph_.outputs) {
    port.shape = shapes[static_cast<size_t>(port.value)];
    if (port.shape.rank() > 0) port.shape.set_dim(0, -1);
  }
  return graph_;
}

Graph SmallResidualNet(uint64_t seed) {
  GraphBuilder b("small_residual", seed);
  const ValueId x = b.Input({3, 16, 16});
  const ValueId stem = b.Relu("stem.relu", b.BatchNorm("stem.bn", b.Conv("stem", x, 3, 16, 3), 16));
  const ValueId first = b.Relu(
      "block.relu1", b.BatchNorm("block.bn1", b.Conv("block.conv1", stem, 16, 32, 3, 2), 32));
  const ValueId second = b.BatchNorm("block.bn2", b.Conv("block.conv2", first, 32, 32, 3), 32);
  const ValueId down = b.BatchNorm("block.bn3", b.Conv("block.down", stem, 16, 32, 1, 2), 32);
  const ValueId sum = b.Relu("block.relu2", b.Op(OpType::kAdd, "block.add", {second, down}));
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {sum});
  const ValueId flat = b.Op(OpType::kFlatten, "flatten", {pooled}, {{"axis", int64_t{1}}});
  return b.Finish({b.Linear("fc", flat, 32, 10)});
}

Graph SmallMobileNet(uint64_t seed) {
  GraphBuilder b("small_mobile", seed);
  const ValueId x = b.Input({3, 16, 16});
  const ValueId stem = b.Op(OpType::kHardSwish, "stem.act",
                            {b.BatchNorm("stem.bn", b.Conv("stem", x, 3, 8, 3, 2), 8)});
  const ValueId expanded = b.Op(OpType::kClip, "expand.act",
                                {b.BatchNorm("expand.bn", b.Conv("expand", stem, 8, 24, 1), 24)},
                                {{"min", 0.0}, {"max", 6.0}});
  const ValueId depthwise =
      b.BatchNorm("depthwise.bn", b.Conv("depthwise", expanded, 24, 24, 3, 1, 24), 24);
  const ValueId squeezed =
      b.Op(OpType::kReduceMean, "se.pool", {depthwise}, {{"axes", std::vector<int64_t>{2, 3}}});
  const ValueId gate =
      b.Op(OpType::kHardSigmoid, "se.gate",
           {b.Conv("se.up", b.Relu("se.relu", b.Conv("se.down", squeezed, 24, 6, 1, 1, 1, true)), 6,
                   24, 1, 1, 1, true)});
  const ValueId excited = b.Op(OpType::kMul, "se.mul", {depthwise, gate});
  const ValueId projected = b.BatchNorm("project.bn", b.Conv("project", excited, 24, 8, 1), 8);
  const ValueId sum = b.Op(OpType::kAdd, "add", {projected, stem});
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {sum});
  return b.Finish({b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {pooled}), 8, 5)});
}

std::vector<Tensor> RunOp(OpType type, const std::vector<const Tensor*>& inputs,
                          const AttributeList& attributes, size_t outputs) {
  Node node{"node", type, {}, {}, ToAttributes(attributes)};
  std::vector<Shape> shapes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    node.inputs.push_back(inputs[i] == nullptr ? kNoValue : static_cast<ValueId>(i));
    shapes.push_back(inputs[i] == nullptr ? Shape{0} : inputs[i]->shape());
  }
  for (size_t i = 0; i < outputs; ++i) {
    node.outputs.push_back(static_cast<ValueId>(inputs.size() + i));
  }
  std::vector<Tensor> results;
  for (const Shape& shape : OutputShapes(node, shapes)) {
    results.push_back(Tensor::Uninitialized(shape));
    results.back().Fill(std::nanf(""));
  }
  std::vector<Tensor*> pointers;
  for (Tensor& result : results) pointers.push_back(&result);
  Forward(node, inputs, pointers);
  return results;
}

std::string MessageOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace sparsify::testing

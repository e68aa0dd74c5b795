#include "tests/schedulers/channel_support.h"

#include <algorithm>
#include <cmath>

#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/interpreter.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace sparsify::testing {
namespace {

using Ints = std::vector<int64_t>;

ValueId ConvBnRelu(GraphBuilder& b, const std::string& name, ValueId x, int64_t in, int64_t out,
                   int64_t kernel = 3, int64_t groups = 1) {
  const ValueId y = b.Conv(name, x, in, out, kernel, 1, groups, true);
  return b.Relu(name + ".relu", b.BatchNorm(name + ".bn", y, out));
}

ValueId Classify(GraphBuilder& b, ValueId x, int64_t channels) {
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {x});
  return b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {pooled}, {{"axis", int64_t{1}}}),
                  channels, 8);
}

Graph Concats(uint64_t seed) {
  GraphBuilder b("concats", seed);
  const ValueId stem = ConvBnRelu(b, "stem", b.Input({3, 8, 8}), 3, 16);
  const ValueId left = ConvBnRelu(b, "left", stem, 16, 8, 1);
  const ValueId right = ConvBnRelu(b, "right", stem, 16, 24);
  const ValueId both = b.Op(OpType::kConcat, "concat", {left, right}, {{"axis", int64_t{1}}});
  const ValueId twice = b.Op(OpType::kConcat, "twice", {both, left}, {{"axis", int64_t{-3}}});
  const ValueId normed = b.BatchNorm("cat.bn", twice, 40);
  const ValueId after =
      b.Op(OpType::kConcat, "after",
           {ConvBnRelu(b, "after1", normed, 40, 8), ConvBnRelu(b, "after2", normed, 40, 24, 1)},
           {{"axis", int64_t{1}}});
  const ValueId sum = b.Op(OpType::kAdd, "add", {after, both});
  const ValueId high = b.Op(OpType::kConcat, "high", {sum, sum}, {{"axis", int64_t{2}}});
  return b.Finish({Classify(b, b.Conv("depthwise", high, 32, 32, 3, 1, 32, true), 32)});
}

// Layers that read and write the same channels.
Graph Rings(uint64_t seed) {
  GraphBuilder b("rings", seed);
  ValueId x = ConvBnRelu(b, "stem", b.Input({3, 8, 8}), 3, 16);
  for (const char* name : {"ring1", "ring2"}) {
    const ValueId y = b.BatchNorm(std::string(name) + ".bn", b.Conv(name, x, 16, 16, 3), 16);
    x = b.Relu(std::string(name) + ".relu", b.Op(OpType::kAdd, std::string(name) + ".add", {y, x}));
  }
  return b.Finish({Classify(b, x, 16)});
}

Graph Grouped(uint64_t seed) {
  GraphBuilder b("grouped", seed);
  const ValueId stem = ConvBnRelu(b, "stem", b.Input({3, 8, 8}), 3, 32);
  const ValueId grouped = ConvBnRelu(b, "grouped", stem, 32, 48, 3, 4);
  const ValueId more = ConvBnRelu(b, "more", grouped, 48, 32, 3, 2);
  const ValueId left = ConvBnRelu(b, "left", more, 32, 16, 1);
  const ValueId both = b.Op(OpType::kConcat, "concat", {left, more}, {{"axis", int64_t{1}}});
  return b.Finish({Classify(b, ConvBnRelu(b, "last", both, 48, 24, 3, 3), 24)});
}

Graph Flattened(uint64_t seed) {
  GraphBuilder b("flattened", seed);
  const ValueId stem = ConvBnRelu(b, "stem", b.Input({3, 4, 4}), 3, 12);
  const ValueId flat = b.Op(OpType::kFlatten, "flatten", {stem}, {{"axis", int64_t{1}}});
  const ValueId wide = b.Linear("fc1", flat, 12 * 16, 20);
  const ValueId square =
      b.Op(OpType::kReshape, "square", {b.Relu("relu", wide)}, {{"shape", Ints{0, 20, 1, 1}}});
  const ValueId mixed = ConvBnRelu(b, "mixed", square, 20, 16, 1);
  const ValueId row = b.Op(OpType::kReshape, "row", {mixed}, {{"shape", Ints{0, -1}}});
  return b.Finish({b.Linear("fc2", b.Op(OpType::kSoftmax, "softmax", {row}), 16, 5)});
}

Graph Passes(uint64_t seed) {
  GraphBuilder b("passes", seed);
  ValueId x = ConvBnRelu(b, "stem", b.Input({3, 12, 12}), 3, 16);
  x = b.Op(OpType::kPad, "pad", {x}, {{"pads", Ints{0, 0, 1, 1, 0, 0, 1, 1}}});
  const AttributeList window = {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};
  x = b.Op(OpType::kMaxPool, "max", {x}, window);
  x = b.Op(OpType::kResize, "resize", {x}, {{"scales", std::vector<double>{1, 1, 2, 2}}});
  x = b.Op(OpType::kAveragePool, "average", {x}, window);
  x = b.Op(OpType::kSlice, "slice", {x},
           {{"starts", Ints{1}}, {"ends", Ints{6}}, {"axes", Ints{2}}});
  x = b.Op(OpType::kTranspose, "transpose", {x}, {{"perm", Ints{0, 1, 3, 2}}});
  x = b.Op(OpType::kSplit, "split", {x}, {{"axis", int64_t{-1}}});
  for (const OpType type :
       {OpType::kClip, OpType::kSigmoid, OpType::kHardSigmoid, OpType::kHardSwish, OpType::kSiLU,
        OpType::kIdentity, OpType::kDropout}) {
    x = b.Op(type, std::string(OpName(type)), {x});
  }
  x = b.Op(OpType::kReduceMean, "mean", {x}, {{"axes", Ints{-1, -2}}, {"keepdims", int64_t{0}}});
  const ValueId weight = b.Parameter("matmul.weight", Waves({12, 16}));
  x = b.Op(OpType::kMatMul, "matmul", {x, weight}, {{"transB", int64_t{1}}});
  return b.Finish({b.Linear("fc", x, 12, 5)});
}

Graph Constants(uint64_t seed) {
  GraphBuilder b("constants", seed);
  const ValueId input = b.Input({3, 6, 6});
  ValueId x = ConvBnRelu(b, "stem", input, 3, 16);
  x = b.Op(OpType::kMul, "scale", {x, b.Parameter("scale.weight", Waves({16, 1, 1}))});
  x = b.Op(OpType::kAdd, "shift", {b.Parameter("shift.bias", Waves({1, 16, 1, 1})), x});
  x = b.Op(OpType::kMul, "plane", {x, b.Parameter("plane.weight", Waves({6, 6}))});
  x = b.Op(OpType::kAdd, "whole", {x, b.Parameter("whole.bias", Waves({1, 16, 6, 6}))});
  x = b.Op(OpType::kMul, "half", {x, b.Parameter("half.weight", Tensor(Shape{1}, {0.5F}))});
  const ValueId gate = b.Conv("gate", x, 16, 1, 1);
  x = b.Op(OpType::kMul, "gated", {x, gate});
  const ValueId lone = b.Op(OpType::kMul, "square", {x, x});
  return b.Finish({Classify(b, ConvBnRelu(b, "last", lone, 16, 12), 12)});
}

}  // namespace

std::vector<ChannelNet> ChannelNets() {
  return {{"Residual", SmallResidualNet, 3},
          {"Mobile", SmallMobileNet, 3},
          {"Concats", Concats, 3},
          {"Rings", Rings, 1},
          {"Grouped", Grouped, 4},
          {"Flattened", Flattened, 3},
          {"Passes", Passes, 2},
          {"Constants", Constants, 2}};
}

std::vector<ChannelMove> RandomMoves(const Graph& graph, uint64_t seed) {
  Random random(seed);
  std::vector<ChannelMove> moves;
  for (ChannelSpace& space : FindChannelSpaces(graph, InferShapes(graph, 1))) {
    if (!space.fixed.empty()) continue;
    std::vector<int64_t> order;
    for (int64_t first = 0; first < space.channels; first += space.block) {
      for (const int64_t q : random.Permutation(space.block)) order.push_back(first + q);
    }
    moves.push_back({std::move(space), std::move(order)});
  }
  return moves;
}

int ChangedParameters(const Graph& graph, const Graph& moved) {
  int changed = 0;
  for (const Value& value : graph.values()) {
    if (!value.is_parameter) continue;
    const Tensor& now = moved.value(moved.FindValue(value.name)).data;
    changed += Same(value.data, now) ? 0 : 1;
  }
  return changed;
}

double OutputChange(const Graph& graph, const Graph& moved, uint64_t seed) {
  Random random(seed + 100);
  const auto shapes = InferShapes(graph, 2);
  const Tensor x = RandomTensor(random, shapes[static_cast<size_t>(graph.inputs[0].value)]);
  const auto before = Interpreter(graph).Run({&x});
  const auto after = Interpreter(moved).Run({&x});
  double worst = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    worst = std::max(worst, RelativeError(after[i], before[i]));
  }
  return worst;
}

Tensor Ramp(int64_t count) {
  Tensor ramp({count});
  for (int64_t i = 0; i < count; ++i) ramp[i] = static_cast<float>(i);
  return ramp;
}

Tensor Waves(const Shape& shape) {
  Tensor waves(shape);
  for (int64_t i = 0; i < waves.size(); ++i) {
    waves[i] = static_cast<float>(std::sin(1.7 * static_cast<double>(i * i) + 0.3));
  }
  return waves;
}

}  // namespace sparsify::testing

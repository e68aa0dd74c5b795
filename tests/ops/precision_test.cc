// Layers with factors of bfloat16: each product and gradient against double arithmetic on factors
// that the test rounds itself.
#include "sparsity/ops/precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/conv.h"
#include "sparsity/ops/gemm.h"
#include "sparsity/ops/graph_pass.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using reference::Array;
using testing::Close;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::RandomTensor;
using testing::Same;
using Ints = std::vector<int64_t>;

// To the nearest number of 8 significant bits, half to even.
float Rounded(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000U);
}

Tensor Rounded(Tensor tensor) {
  for (int64_t i = 0; i < tensor.size(); ++i) tensor[i] = Rounded(tensor[i]);
  return tensor;
}

TEST(Precision, TheTestRoundsAsItShould) {
  EXPECT_EQ(Rounded(1 + 0x1p-8F), 1);            // half way, to even
  EXPECT_EQ(Rounded(1 + 0x3p-8F), 1 + 0x1p-6F);  // half way, to even
  EXPECT_EQ(Rounded(1 + 0x3p-9F), 1 + 0x1p-7F);
  EXPECT_EQ(Rounded(-3.14159265F), -3.140625F);
}

// A layer; a fully connected one has a weight of two dimensions.
struct Case {
  std::string name;
  Shape x;
  Shape w;
  Ints strides = {1, 1};
  Ints pads = {1, 1, 1, 1};
  Ints dilations = {1, 1};
  int64_t groups = 1;
  bool bias = false;
  NodeBlocks blocks = {};
};

Node NodeOf(const Case& c) {
  Node node;
  node.name = c.name;
  node.type = c.w.rank() == 2 ? OpType::kGemm : OpType::kConv;
  node.inputs = {0, 1};
  if (c.bias) node.inputs.push_back(2);
  node.outputs = {3};
  if (c.w.rank() == 2) {
    node.attributes.Set("transB", int64_t{1});
  } else {
    node.attributes.Set("strides", c.strides);
    node.attributes.Set("pads", c.pads);
    node.attributes.Set("dilations", c.dilations);
    node.attributes.Set("group", c.groups);
  }
  return node;
}

// Sums of products, and of their sizes.
struct Sums {
  explicit Sums(const Shape& shape)
      : values(reference::Zeros(shape.dims())), sizes(reference::Zeros(shape.dims())) {}
  void Add(int64_t at, double a, double b) {
    values.values[static_cast<size_t>(at)] += a * b;
    sizes.values[static_cast<size_t>(at)] += std::abs(a * b);
  }
  Array values;
  Array sizes;
};

struct Results {
  Tensor y, grad_x, grad_w;
};

// From the definition, in double; a fully connected layer is a convolution of one pixel.
struct Expected {
  Expected(const Case& c, const Tensor& x, const Tensor& w, const Tensor* bias,
           const Tensor& grad_y)
      : y(grad_y.shape()), grad_x(x.shape()), grad_w(w.shape()) {
    const auto dim = [](const Tensor& t, int i) { return i < t.shape().rank() ? t.shape()[i] : 1; };
    const int64_t outs = dim(w, 0) / c.groups;
    const bool linear = w.shape().rank() == 2;
    for (int64_t i = 0; i < grad_y.size(); ++i) {
      const int64_t ox = i % dim(grad_y, 3);
      const int64_t oy = i / dim(grad_y, 3) % dim(grad_y, 2);
      const int64_t o = i / dim(grad_y, 3) / dim(grad_y, 2) % dim(w, 0);
      const int64_t n = i / dim(grad_y, 3) / dim(grad_y, 2) / dim(w, 0);
      if (bias != nullptr) y.Add(i, (*bias)[o], 1);
      for (int64_t k = 0; k < w.size() / dim(w, 0); ++k) {
        const int64_t kx = k % dim(w, 3);
        const int64_t ky = k / dim(w, 3) % dim(w, 2);
        const int64_t in = o / outs * dim(w, 1) + k / dim(w, 3) / dim(w, 2);
        const int64_t row = linear ? 0 : oy * c.strides[0] - c.pads[0] + ky * c.dilations[0];
        const int64_t column = linear ? 0 : ox * c.strides[1] - c.pads[1] + kx * c.dilations[1];
        if (row < 0 || column < 0 || row >= dim(x, 2) || column >= dim(x, 3)) continue;
        const int64_t at = ((n * dim(x, 1) + in) * dim(x, 2) + row) * dim(x, 3) + column;
        const int64_t weight = o * (w.size() / dim(w, 0)) + k;
        y.Add(i, x[at], w[weight]);
        grad_x.Add(at, grad_y[i], w[weight]);
        grad_w.Add(weight, grad_y[i], x[at]);
      }
    }
  }
  Sums y, grad_x, grad_w;
};

Tensor Laid(const Tensor& tensor, bool blocked) {
  Tensor other = tensor;
  if (blocked) ToChannelBlocks(tensor, other);
  return other;
}

Tensor Plain(const Tensor& tensor, bool blocked) {
  Tensor other = tensor;
  if (blocked) FromChannelBlocks(tensor, other);
  return other;
}

// The layer by the functions under test.
Results Compute(const Case& c, const Tensor& x, const Tensor& w, const Tensor* bias,
                const Tensor& grad_y) {
  const Node node = NodeOf(c);
  const Tensor own_x = Laid(x, c.blocks.x);
  const Tensor own_grad_y = Laid(grad_y, c.blocks.y);
  std::vector<const Tensor*> inputs = {&own_x, &w};
  if (bias != nullptr) inputs.push_back(bias);
  Results layer = {Tensor(grad_y.shape()), Tensor(x.shape()), Tensor(w.shape())};
  const std::vector<Tensor*> outputs = {&layer.y};
  const std::vector<const Tensor*> grad_outputs = {&own_grad_y};
  const std::vector<Tensor*> grads = {&layer.grad_x, &layer.grad_w, nullptr};
  if (node.type == OpType::kGemm) {
    Bf16GemmForward(node, inputs, outputs);
    Bf16GemmBackward(node, inputs, grad_outputs, grads);
  } else {
    BlockedConvForward(node, c.blocks, Precision::kBf16, inputs, outputs);
    BlockedConvBackward(node, c.blocks, Precision::kBf16, inputs, grad_outputs, grads);
  }
  return {Plain(layer.y, c.blocks.y), Plain(layer.grad_x, c.blocks.x), layer.grad_w};
}

std::vector<Case> Cases() {
  return {
      {.name = "ThreeByThree", .x = {3, 32, 9, 7}, .w = {48, 32, 3, 3}},
      {.name = "Blocks", .x = {2, 32, 8, 8}, .w = {16, 32, 3, 3}, .blocks = {true, true}},
      {.name = "Stride", .x = {2, 64, 11, 10}, .w = {32, 64, 3, 3}, .strides = {2, 2}},
      {.name = "OneByOne", .x = {2, 64, 7, 7}, .w = {96, 64, 1, 1}, .pads = {0, 0, 0, 0}},
      {.name = "OneByOneInBlocks",
       .x = {2, 64, 7, 7},
       .w = {96, 64, 1, 1},
       .pads = {0, 0, 0, 0},
       .blocks = {true, true}},
      {.name = "OneByOneStride",
       .x = {2, 32, 8, 8},
       .w = {64, 32, 1, 1},
       .strides = {2, 2},
       .pads = {0, 0, 0, 0}},
      {.name = "Groups", .x = {2, 64, 8, 8}, .w = {64, 32, 3, 3}, .groups = 2},
      {.name = "OddChannels", .x = {2, 20, 6, 6}, .w = {36, 20, 3, 3}},
      {.name = "Pads", .x = {2, 32, 8, 9}, .w = {32, 32, 3, 3}, .pads = {0, 2, 1, 0}},
      {.name = "Images",
       .x = {2, 3, 20, 20},
       .w = {32, 3, 7, 7},
       .strides = {2, 2},
       .pads = {3, 3, 3, 3},
       .blocks = {false, true}},
      {.name = "Bias", .x = {2, 32, 6, 6}, .w = {32, 32, 3, 3}, .bias = true},
      {.name = "FiveByFive", .x = {2, 32, 8, 8}, .w = {32, 32, 5, 5}, .pads = {2, 2, 2, 2}},
      {.name = "FullyConnected", .x = {24, 160}, .w = {64, 160}, .bias = true},
      {.name = "FewClasses", .x = {16, 128}, .w = {10, 128}},
  };
}

class Bf16Layer : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!Bf16Obstacle().empty()) GTEST_SKIP() << Bf16Obstacle();
    SetThreads(1);  // too little work to share
    const Case& c = GetParam();
    Random random(7);
    x_ = RandomTensor(random, c.x);
    w_ = RandomTensor(random, c.w);
    bias_ = RandomTensor(random, {c.w[0]});
    std::vector<Shape> shapes = {c.x, c.w};
    if (c.bias) shapes.push_back(bias_.shape());
    grad_y_ = RandomTensor(random, OutputShapes(NodeOf(c), shapes)[0]);
  }
  void TearDown() override { SetThreads(0); }
  const Tensor* bias() const { return GetParam().bias ? &bias_ : nullptr; }

  Tensor x_, w_, bias_, grad_y_;
};

// Products of two rounded factors are exact in f32: only the sums round, as in f32.
TEST_P(Bf16Layer, SumsTheProductsOfRoundedFactors) {
  const Case& c = GetParam();
  const Results layer = Compute(c, x_, w_, bias(), grad_y_);
  const Expected expected(c, Rounded(x_), Rounded(w_), bias(), Rounded(grad_y_));
  const auto terms = [](const Tensor& result, const Tensor& factor) {
    return static_cast<double>(std::max<int64_t>(8, factor.size() / result.shape()[0]));
  };
  EXPECT_TRUE(Close(layer.y, expected.y.values, expected.y.sizes, terms(w_, w_)));
  // Of an input: every output channel and tap; of a weight: every position of every image.
  EXPECT_TRUE(Close(layer.grad_x, expected.grad_x.values, expected.grad_x.sizes,
                    static_cast<double>(w_.size() / c.w[1])));
  EXPECT_TRUE(Close(layer.grad_w, expected.grad_w.values, expected.grad_w.sizes,
                    static_cast<double>(grad_y_.size() / c.w[0])));
}

// A factor's rounding moves it by 2^-8 of itself at most, a product by (1 + 2^-8)² − 1.
TEST_P(Bf16Layer, IsWithinTheRoundingOfTheExactLayer) {
  const Case& c = GetParam();
  const Results layer = Compute(c, x_, w_, bias(), grad_y_);
  const Expected exact(c, x_, w_, bias(), grad_y_);
  constexpr double kRoundings = (0x1p-7 + 0x1p-16) / 0x1p-24 + 2048;  // and those of the sums
  EXPECT_TRUE(Close(layer.y, exact.y.values, exact.y.sizes, kRoundings));
  EXPECT_TRUE(Close(layer.grad_x, exact.grad_x.values, exact.grad_x.sizes, kRoundings));
  EXPECT_TRUE(Close(layer.grad_w, exact.grad_w.values, exact.grad_w.sizes, kRoundings));
  // And it is bf16 that was computed: f32 would be a thousand times closer than this.
  const Results rounded = Compute(c, Rounded(x_), Rounded(w_), bias(), Rounded(grad_y_));
  EXPECT_TRUE(Same(layer.y, rounded.y));
  EXPECT_TRUE(Same(layer.grad_x, rounded.grad_x));
  EXPECT_TRUE(Same(layer.grad_w, rounded.grad_w));
  EXPECT_FALSE(Close(layer.y, exact.y.values, exact.y.sizes, 1024));
}

std::string NameOf(const ::testing::TestParamInfo<Case>& of) { return of.param.name; }

INSTANTIATE_TEST_SUITE_P(All, Bf16Layer, ::testing::ValuesIn(Cases()), NameOf);

// --- which layers ------------------------------------------------------------------------------

std::string ReasonOf(const Case& c) {
  std::vector<Shape> shapes = {c.x, c.w};
  if (c.bias) shapes.push_back({c.w[0]});
  return F32Reason(NodeOf(c), shapes);
}

TEST(Precision, LayersOfFewMultiplyAddsStayInF32) {
  const std::string few = "too few multiply-adds to win by bf16";
  // 16 · 24 · 144 multiply-adds a pixel for 16 · (24 + 144) numbers.
  EXPECT_EQ(
      ReasonOf({.name = "thin", .x = {16, 24, 56, 56}, .w = {144, 24, 1, 1}, .pads = Ints(4)}),
      few);
  EXPECT_EQ(ReasonOf({.name = "stem", .x = {16, 3, 224, 224}, .w = {64, 3, 7, 7}, .pads = Ints(4)}),
            "fewer than 16 input channels a group");
  EXPECT_EQ(ReasonOf({.name = "groups", .x = {2, 64, 8, 8}, .w = {64, 8, 3, 3}, .groups = 8}),
            "fewer than 16 input channels a group");
  EXPECT_EQ(ReasonOf({.name = "classes", .x = {16, 512}, .w = {10, 512}, .bias = true}), few);
  // Each of so many weights is used 8 times.
  EXPECT_EQ(ReasonOf({.name = "wide", .x = {8, 2048}, .w = {1000, 2048}}), few);
  EXPECT_EQ(ReasonOf({.name = "dw", .x = {2, 64, 8, 8}, .w = {64, 1, 3, 3}, .groups = 64}),
            "depthwise");
  Node pool;
  pool.type = OpType::kGlobalAveragePool;
  pool.inputs = {0};
  EXPECT_EQ(F32Reason(pool, std::vector<Shape>{{2, 3, 4, 4}}),
            "of a form that has no bf16 kernels");
  Node scaled = NodeOf({.name = "scaled", .x = {64, 512}, .w = {512, 512}});
  scaled.attributes.Set("alpha", 0.5F);
  EXPECT_EQ(F32Reason(scaled, std::vector<Shape>{{64, 512}, {512, 512}}),
            "of a form that has no bf16 kernels");
}

TEST(Precision, LayersOfManyTakeBf16) {
  if (!Bf16Obstacle().empty()) GTEST_SKIP() << Bf16Obstacle();
  EXPECT_EQ(ReasonOf({.name = "3×3", .x = {16, 64, 56, 56}, .w = {64, 64, 3, 3}}), "");
  EXPECT_EQ(ReasonOf({.name = "1×1", .x = {16, 160, 7, 7}, .w = {960, 160, 1, 1}, .pads = Ints(4)}),
            "");
  EXPECT_EQ(ReasonOf({.name = "fc", .x = {128, 512}, .w = {512, 512}, .bias = true}), "");
}

// --- a pass ------------------------------------------------------------------------------------

// conv1 and fc compute in bf16, conv0 (3 channels) does not.
Graph ThreeLayers() {
  GraphBuilder b("three");
  ValueId x = b.Relu("relu0", b.Conv("conv0", b.Input({3, 12, 12}), 3, 32, 1));
  x = b.Relu("relu1", b.BatchNorm("norm", b.Conv("conv1", x, 32, 64, 3), 64));
  x = b.Op(OpType::kFlatten, "flat", {b.Op(OpType::kGlobalAveragePool, "pool", {x})});
  return b.Finish({b.Linear("fc", x, 64, 512)});
}

struct Passed {
  std::map<std::string, Tensor> outputs;
  std::map<std::string, Tensor> gradients;
};

Passed Pass(const Graph& graph, BatchNormMode mode, Precision precision) {
  GraphPass pass = GraphPass::WholeNetwork(graph, mode, precision);
  Random random(4);
  const Tensor images = RandomTensor(random, {160, 3, 12, 12});
  pass.Forward({{graph.inputs[0].value, &images}}, {});
  Passed passed;
  for (const Node& node : graph.nodes()) {
    if (node.name != "norm") passed.outputs[node.name] = pass.Output(node.outputs[0]);
  }
  const Tensor grad = RandomTensor(random, pass.Output(graph.outputs[0].value).shape());
  std::map<ValueId, Tensor> gradients;
  for (const char* name : {"conv0.weight", "conv1.weight", "norm.weight", "fc.weight", "fc.bias"}) {
    gradients[graph.FindValue(name)];
  }
  pass.Backward({{graph.outputs[0].value, &grad}}, gradients);
  for (auto& [id, gradient] : gradients) {
    passed.gradients[graph.value(id).name] = std::move(gradient);
  }
  return passed;
}

TEST(Precision, APassComputesSomeLayersInBf16AndTheRestAsEver) {
  if (!Bf16Obstacle().empty()) GTEST_SKIP() << Bf16Obstacle();
  const Graph graph = ThreeLayers();
  for (const BatchNormMode mode : {BatchNormMode::kFrozen, BatchNormMode::kTraining}) {
    const Passed f32 = Pass(graph, mode, Precision::kF32);
    const Passed bf16 = Pass(graph, mode, Precision::kBf16);
    EXPECT_TRUE(Same(bf16.outputs.at("conv0"), f32.outputs.at("conv0")));
    // Random signs: the error of a sum of products is about 2^-9 of its size, and is there.
    for (const char* name : {"conv1", "fc"}) {
      const double error = testing::RelativeError(bf16.outputs.at(name), f32.outputs.at(name));
      EXPECT_LT(error, 0x1p-6) << name;
      EXPECT_GT(error, 0x1p-12) << name;
    }
    for (const auto& [name, gradient] : bf16.gradients) {
      if (name == "fc.bias") {
        EXPECT_TRUE(Same(gradient, f32.gradients.at(name)));
        continue;
      }
      // A share of about 2^-9 of the activations is so close to 0 that ReLU stops their gradient in
      // one pass and not in the other: √2^-9 of its norm.
      const double error = testing::RelativeError(gradient, f32.gradients.at(name));
      EXPECT_LT(error, 0x1p-3) << name;
      EXPECT_GT(error, 0x1p-12) << name;
    }
    const Passed again = Pass(graph, mode, Precision::kBf16);
    for (const auto& [name, gradient] : bf16.gradients) {
      EXPECT_TRUE(Same(again.gradients.at(name), gradient)) << name;
    }
  }
}

// --- machines without --------------------------------------------------------------------------

[[noreturn]] void WithoutBf16() {
  setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE", 1);
  setenv("DNNL_MAX_CPU_ISA", "AVX512_CORE", 1);
  const bool refused =
      Bf16Obstacle() == "the processor has neither AVX512_BF16 nor AMX, or oneDNN may not use them";
  const std::string reason = ReasonOf({.name = "c", .x = {8, 64, 9, 9}, .w = {64, 64, 3, 3}});
  std::exit(refused && reason == "no bf16 kernels on this machine" ? 0 : 1);
}

// oneDNN takes its limit once, so this needs a process of its own.
TEST(Precision, AMachineWithoutBf16SaysSo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(WithoutBf16(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace sparsify

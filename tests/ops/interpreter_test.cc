#include "sparsity/ops/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/reference/conv.h"
#include "tests/reference/linear.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::Close;
using ::testing::HasSubstr;
using testing::MessageOf;
using testing::RandomInt;
using testing::RandomTensor;
using testing::RunOp;
using testing::Same;
using testing::ToArray;
using Ints = std::vector<int64_t>;

TEST(Interpreter, RunsANetworkWithTheInferredShapes) {
  for (const Graph& graph : {testing::SmallResidualNet(), testing::SmallMobileNet()}) {
    Random random(1);
    const Tensor x = RandomTensor(random, {3, 3, 16, 16});
    const auto shapes = InferShapes(graph, 3);
    std::set<int> seen;
    const auto outputs =
        Interpreter(graph).Run({&x}, [&](int index, const std::vector<const Tensor*>& made) {
          EXPECT_TRUE(seen.insert(index).second);
          const ValueId id = graph.node(index).outputs[0];
          EXPECT_EQ(made[0]->shape(), shapes[static_cast<size_t>(id)]);
          EXPECT_EQ(FirstNonFinite(*made[0]), -1);
        });
    EXPECT_EQ(seen.size(), graph.nodes().size());
    EXPECT_EQ(outputs[0].shape()[0], 3);
  }
}

TEST(Interpreter, EqualsTheReferencesComposed) {
  testing::GraphBuilder b;
  const ValueId x = b.Input({2, 5, 5});
  const ValueId conv = b.Conv("conv", x, 2, 3, 3, 1, 1, true);
  const ValueId pool = b.Op(OpType::kGlobalAveragePool, "pool", {b.Relu("relu", conv)});
  const Graph graph = b.Finish({b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {pool}), 3, 4)});
  const auto parameter = [&](const char* name) {
    return ToArray(graph.value(graph.FindValue(name)).data);
  };
  Random random(2);
  const Tensor image = RandomTensor(random, {2, 2, 5, 5});
  const auto bias = parameter("conv.bias");
  const auto hidden =
      Conv(ToArray(image), parameter("conv.weight"), &bias, {{1, 1}, {1, 1}, {1, 1, 1, 1}, 1});
  auto pooled = reference::Zeros({2, 3});
  reference::ForEach(hidden.dims, [&](const reference::Dims& at) {
    pooled.At({at[0], at[1]}) += std::max(0.0, hidden.At(at)) / 25;
  });
  const auto fc_bias = parameter("fc.bias");
  const auto expected = Gemm(pooled, parameter("fc.weight"), &fc_bias, false, true, 1, 1);
  EXPECT_TRUE(Close(Interpreter(graph).Run({&image})[0], expected, 100, 1));
}

TEST(Interpreter, ImagesOfABatchAreIndependent) {
  const Graph graph = testing::SmallMobileNet();
  const Interpreter interpreter(graph);
  Random random(1);
  const Tensor batch = RandomTensor(random, {5, 3, 16, 16});
  const Tensor together = interpreter.Run({&batch})[0];
  for (int64_t i = 0; i < 5; ++i) {
    Tensor image = Tensor::Uninitialized({1, 3, 16, 16});
    std::copy_n(batch.data() + i * image.size(), image.size(), image.data());
    const Tensor alone = interpreter.Run({&image})[0];
    Tensor row = Tensor::Uninitialized({1, 5});
    std::copy_n(together.data() + i * 5, 5, row.data());
    EXPECT_LT(testing::RelativeError(row, alone), 1e-5);
  }
}

TEST(Interpreter, SameResultWithAnyThreadCount) {
  const Graph graph = testing::SmallResidualNet();
  Random random(1);
  const Tensor x = RandomTensor(random, {4, 3, 16, 16});
  SetThreads(1);
  const Tensor one = Interpreter(graph).Run({&x})[0];
  SetThreads(3);
  const Tensor three = Interpreter(graph).Run({&x})[0];
  SetThreads(0);
  EXPECT_LT(testing::RelativeError(three, one), 1e-5);
}

TEST(Interpreter, WeightsMayChangeBetweenRuns) {
  Graph graph = testing::SmallResidualNet();
  const Interpreter interpreter(graph);
  Random random(1);
  const Tensor x = RandomTensor(random, {1, 3, 16, 16});
  const Tensor before = interpreter.Run({&x})[0];
  graph.mutable_value(graph.FindValue("fc.weight")).data.Fill(0);
  EXPECT_TRUE(Same(interpreter.Run({&x})[0], [&] {
    Tensor bias = graph.value(graph.FindValue("fc.bias")).data;
    bias.Reshape({1, 10});
    return bias;
  }()));
  EXPECT_FALSE(Same(before, interpreter.Run({&x})[0]));
}

TEST(Interpreter, ReturnsInnerValuesInputsAndRepeatedOutputs) {
  testing::GraphBuilder b;
  const ValueId x = b.Input({2});
  const ValueId inner = b.Relu("inner", x);
  const ValueId last = b.Op(OpType::kAdd, "last", {inner, x});
  const Graph graph = b.Finish({last, inner, x, inner});
  const Tensor in({1, 2}, {-1, 2});
  const auto outputs = Interpreter(graph).Run({&in});
  ASSERT_EQ(outputs.size(), 4U);
  EXPECT_TRUE(Same(outputs[0], Tensor({1, 2}, {-1, 4})));
  EXPECT_TRUE(Same(outputs[1], Tensor({1, 2}, {0, 2})));
  EXPECT_TRUE(Same(outputs[2], in));
  EXPECT_TRUE(Same(outputs[3], outputs[1]));
}

TEST(Interpreter, SkipsAbsentOutputs) {
  Graph graph;
  graph.name = "split";
  const ValueId x = graph.AddActivation("x");
  const ValueId y = graph.AddActivation("y");
  Attributes attributes;
  attributes.Set("axis", int64_t{1});
  graph.AddNode({"split", OpType::kSplit, {x}, {kNoValue, y}, attributes});
  graph.inputs = {{x, {-1, 4}}};
  graph.outputs = {{y, {-1, 2}}};
  graph.SortAndCheck();
  const Tensor in({1, 4}, {1, 2, 3, 4});
  EXPECT_TRUE(Same(Interpreter(graph).Run({&in})[0], Tensor({1, 2}, {3, 4})));
}

TEST(Interpreter, ExplainsBadInputs) {
  const Graph graph = testing::SmallResidualNet();
  const Interpreter interpreter(graph);
  const Tensor wrong(Shape{1, 3, 8, 16});
  EXPECT_EQ(MessageOf([&] { interpreter.Run({&wrong}); }),
            "small_residual: input \"input\" has shape [1,3,8,16], [-1,3,16,16] expected");
  EXPECT_THAT(MessageOf([&] { interpreter.Run({}); }), HasSubstr("0 inputs given, 1 expected"));
}

}  // namespace
}  // namespace sparsify

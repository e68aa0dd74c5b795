#include "sparsity/ops/infer_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/graph/layers.h"
#include "sparsity/ops/op.h"
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

Shape ShapeOf(const Graph& graph, const std::vector<Shape>& shapes, std::string_view name) {
  return shapes[static_cast<size_t>(graph.FindValue(name))];
}

TEST(InferShapes, FollowsTheNetworkAtAnyBatch) {
  const Graph graph = testing::SmallResidualNet();
  for (const int64_t batch : {1, 7}) {
    const auto shapes = InferShapes(graph, batch);
    EXPECT_EQ(ShapeOf(graph, shapes, "stem.out"), (Shape{batch, 16, 16, 16}));
    EXPECT_EQ(ShapeOf(graph, shapes, "block.add.out"), (Shape{batch, 32, 8, 8}));
    EXPECT_EQ(ShapeOf(graph, shapes, "fc.out"), (Shape{batch, 10}));
    EXPECT_EQ(ShapeOf(graph, shapes, "fc.weight"), (Shape{10, 32}));
  }
  EXPECT_EQ(FindLayers(graph, InferShapes(graph, 1)).size(), 5U);
}

TEST(InferShapes, TakesAnotherImageSize) {
  const Graph graph = testing::SmallResidualNet();
  const auto shapes = InferShapes(graph, 2, {3, 33, 20});
  EXPECT_EQ(ShapeOf(graph, shapes, "block.add.out"), (Shape{2, 32, 17, 10}));
  EXPECT_THAT(MessageOf([&] {
                InferShapes(graph, 2, {4, 33, 20});
              }),
              HasSubstr("Conv \"stem\": input [2,4,33,20] has 4 channels"));
}

TEST(InferShapes, ExplainsBatchesThatDoNotFit) {
  Graph graph = testing::SmallResidualNet();
  EXPECT_THAT(MessageOf([&] { InferShapes(graph, 0); }), HasSubstr("batch size 0 is not positive"));
  graph.inputs[0].shape = {1, 3, 16, 16};
  EXPECT_THAT(MessageOf([&] { InferShapes(graph, 8); }),
              HasSubstr("input \"input\" is fixed to shape [1,3,16,16], batch size 8 asked for"));
  EXPECT_NO_THROW(InferShapes(graph, 1));
  graph.inputs[0].shape = {-1, 3, -1, 16};
  EXPECT_THAT(MessageOf([&] { InferShapes(graph, 8); }),
              HasSubstr("shape [-1,3,-1,16]; dimension 2 is unknown, give the image size"));
  EXPECT_NO_THROW(InferShapes(graph, 8, {3, 16, 16}));
}

TEST(InferShapes, RefusesAbsurdSizesWithoutAllocating) {
  testing::GraphBuilder builder;
  ValueId x = builder.Input({1, 1 << 14, 1 << 14});
  const Graph wide = builder.Finish({builder.Relu("relu", x)});
  EXPECT_THAT(MessageOf([&] { InferShapes(wide, int64_t{1} << 40); }),
              HasSubstr("would exceed 2^32 elements; lower the batch or image size"));

  testing::GraphBuilder growing;
  x = growing.Input({1});
  for (int i = 0; i < 40; ++i) {
    x = growing.Op(OpType::kConcat, "twice" + std::to_string(i), {x, x}, {{"axis", int64_t{1}}});
  }
  EXPECT_THAT(MessageOf([&] { growing.Finish({x}); }),
              HasSubstr("Concat \"twice32\": the output of shape [1,8589934592] would exceed"));
}

TEST(OpTable, HasEveryOperator) {
  for (const OpType type : AllOpTypes()) {
    EXPECT_EQ(GetOp(type).type, type);
    EXPECT_NE(GetOp(type).output_shapes, nullptr) << OpName(type);
    EXPECT_NE(GetOp(type).forward, nullptr) << OpName(type);
  }
}

// Whatever shapes and attributes a damaged file brings: an Error that names the node, or
// shapes within bounds.
TEST(OpTable, SurvivesRandomShapesAndAttributes) {
  const char* const keys[] = {"axis",  "axes",  "pads",   "strides", "dilations",  "kernel_shape",
                              "group", "shape", "starts", "ends",    "steps",      "perm",
                              "split", "sizes", "scales", "size",    "num_outputs"};
  const int64_t dims[] = {-1, 0, 1, 1, 2, 3, 4, 7, 1LL << 31, 1LL << 62};
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    const auto pick = [&] { return dims[random.Below(std::size(dims))]; };
    const auto list = [&] {
      Ints values(random.Below(6));
      for (int64_t& v : values) v = pick();
      return values;
    };
    Node node{"fuzz", AllOpTypes()[random.Below(AllOpTypes().size())], {}, {}, {}};
    std::vector<Shape> shapes;
    for (uint64_t i = random.Below(6); i > 0; --i) {
      node.inputs.push_back(random.Below(8) == 0 ? kNoValue : 0);
      shapes.push_back(Shape(list()));
    }
    for (uint64_t i = random.Below(3); i > 0; --i) node.outputs.push_back(1);
    for (uint64_t i = random.Below(8); i > 0; --i) {
      const char* key = keys[random.Below(std::size(keys))];
      if (random.Below(2) == 0) {
        node.attributes.Set(key, list());
      } else {
        node.attributes.Set(key, pick());
      }
    }
    try {
      for (const Shape& shape : OutputShapes(node, shapes)) {
        EXPECT_GE(shape.NumElements(), 1) << seed;
        EXPECT_LE(shape.NumElements(), int64_t{1} << 32) << seed;
      }
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("\"fuzz\": ")) << seed;
    }
  }
}

}  // namespace
}  // namespace sparsify

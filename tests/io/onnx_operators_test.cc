// Every operator in the forms of its opsets, folded to one convention.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "onnx_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ints = std::vector<int64_t>;
using Doubles = std::vector<double>;

const Node& OnlyNode(const Graph& graph) {
  EXPECT_EQ(graph.nodes().size(), 1U);
  return graph.node(0);
}

const Attributes& AttributesOf(const Graph& graph) { return OnlyNode(graph).attributes; }

const Tensor& Parameter(const Graph& graph, const std::string& name) {
  return graph.value(graph.FindValue(name)).data;
}

TEST(OnnxOperators, ConvHasExplicitWindow) {
  OnnxBuilder builder = OneNode("Conv", 13, {"w", "b"});
  builder.Floats("w", {6, 2, 3, 3});
  builder.Floats("b", {6});
  FirstNode(builder).Int("group", 2).Ints("pads", {0, 1, 2, 3}).Ints("strides", {2, 1});
  const Graph graph = builder.Load();
  const Attributes& attributes = AttributesOf(graph);
  EXPECT_EQ(attributes.Ints("kernel_shape", {}), Ints({3, 3}));
  EXPECT_EQ(attributes.Ints("dilations", {}), Ints({1, 1}));
  EXPECT_EQ(attributes.Ints("strides", {}), Ints({2, 1}));
  EXPECT_EQ(attributes.Ints("pads", {}), Ints({0, 1, 2, 3}));
  EXPECT_EQ(attributes.Int("group", 0), 2);
  EXPECT_EQ(OnlyNode(graph).inputs.size(), 3U);
  EXPECT_EQ(graph.outputs[0].shape, Shape({-1, 6, 4, 10}));
}

TEST(OnnxOperators, AutoPadBecomesPads) {
  const auto pads = [](const std::string& mode, int64_t stride, Ints input = {-1, 4, 8, 8}) {
    OnnxBuilder builder(11);
    builder.Input("x", input).Output("y").Floats("w", {2, 4, 3, 4});
    builder.Node("Conv", {"x", "w"}, {"y"}).String("auto_pad", mode).Ints("strides", {stride, 1});
    return AttributesOf(builder.Load()).Ints("pads", {});
  };
  EXPECT_EQ(pads("SAME_UPPER", 1), Ints({1, 1, 1, 2}));
  EXPECT_EQ(pads("SAME_LOWER", 1), Ints({1, 2, 1, 1}));
  EXPECT_EQ(pads("SAME_UPPER", 2), Ints({0, 1, 1, 2}));  // 4 rows need 9 of 8
  EXPECT_EQ(pads("SAME_LOWER", 2), Ints({1, 2, 0, 1}));
  EXPECT_EQ(pads("VALID", 2), Ints({0, 0, 0, 0}));
  EXPECT_EQ(pads("SAME_UPPER", 1, {-1, 4, -1, -1}), Ints({1, 1, 1, 2}));
  EXPECT_THAT(ErrorOf([&] {
                pads("SAME_UPPER", 2, {-1, 4, -1, -1});
              }),
              HasSubstr("auto_pad with a stride needs a fixed image size"));
  EXPECT_THAT(ErrorOf([&] { pads("SAME", 1); }), HasSubstr("auto_pad is \"SAME\", expected"));
}

TEST(OnnxOperators, BatchNormalization) {
  for (const int64_t opset : {9, 14, 15}) {
    OnnxBuilder builder = OneNode("BatchNormalization", opset, {"s", "b", "m", "v"});
    for (const char* name : {"s", "b", "m", "v"}) builder.Floats(name, {4});
    FirstNode(builder).Float("epsilon", 0.25F);
    EXPECT_EQ(AttributesOf(builder.Load()).Float("epsilon", 0), 0.25);
    if (opset >= 14) {
      FirstNode(builder).Int("training_mode", 1);
    } else {
      FirstNode(builder).proto().add_output("mean");
    }
    EXPECT_THAT(builder.LoadError(), HasSubstr("is in training mode")) << opset;
  }
}

TEST(OnnxOperators, GemmWeightIsOutputByInput) {
  for (const bool transposed : {false, true}) {
    OnnxBuilder builder(13);
    builder.Input("x", {-1, 2}).Output("y");
    builder.Floats("w", transposed ? Ints{3, 2} : Ints{2, 3});
    builder.Node("Gemm", {"x", "w"}, {"y"}).Int("transB", transposed).Float("alpha", 0.5F);
    const Graph graph = builder.Load();
    EXPECT_EQ(Parameter(graph, "w").shape(), Shape({3, 2}));
    const std::vector<float> stored = {1, 2, 3, 4, 5, 6};
    const std::vector<float> turned = {1, 4, 2, 5, 3, 6};
    EXPECT_THAT(Parameter(graph, "w").values(),
                ::testing::ElementsAreArray(transposed ? stored : turned));
    EXPECT_EQ(AttributesOf(graph).Int("transB", 0), 1);
    EXPECT_EQ(AttributesOf(graph).Float("alpha", 0), 0.5);
    EXPECT_EQ(graph.outputs[0].shape, Shape({-1, 3}));
  }
}

TEST(OnnxOperators, GemmBiasIsAVector) {
  const auto bias = [](const Ints& dims) {
    OnnxBuilder builder(11);
    builder.Input("x", {-1, 2}).Output("y");
    builder.Floats("w", {2, 3});
    builder.Floats("b", dims);
    builder.Node("Gemm", {"x", "w", "b"}, {"y"});
    const Graph graph = builder.Load();
    return Parameter(graph, graph.value(OnlyNode(graph).inputs.at(2)).name);
  };
  EXPECT_EQ(bias({3}).shape(), Shape({3}));
  EXPECT_EQ(bias({1, 3}).shape(), Shape({1, 3}));
  EXPECT_THAT(bias({}).values(), ElementsAre(1, 1, 1));
  EXPECT_THAT(bias({1, 1}).values(), ElementsAre(1, 1, 1));
  EXPECT_THAT(ErrorOf([&] { bias({2}); }), HasSubstr("bias has shape [2], expected [3]"));
}

TEST(OnnxOperators, MatMulWeightIsTransposed) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 7, 2}).Output("y").Floats("w", {2, 3});
  builder.Node("MatMul", {"x", "w"}, {"y"});
  const Graph graph = builder.Load();
  EXPECT_EQ(AttributesOf(graph).Int("transB", 0), 1);
  EXPECT_THAT(Parameter(graph, "w").values(), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_EQ(graph.outputs[0].shape, Shape({-1, 7, 3}));
}

TEST(OnnxOperators, OneWeightInTwoLayoutsIsTwoParameters) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 2}).Output("z").Floats("w", {2, 2});
  builder.Node("MatMul", {"x", "w"}, {"h"});
  builder.Node("Gemm", {"h", "w"}, {"y"}).Int("transB", 1);
  builder.Node("MatMul", {"y", "w"}, {"z"});
  const Graph graph = builder.Load();
  EXPECT_EQ(graph.node(0).inputs[1], graph.node(2).inputs[1]);
  EXPECT_THAT(Parameter(graph, "w").values(), ElementsAre(1, 3, 2, 4));
  EXPECT_THAT(Parameter(graph, "w_stored").values(), ElementsAre(1, 2, 3, 4));
}

TEST(OnnxOperators, ClipBoundsFromAttributesOrInputs) {
  OnnxBuilder old = OneNode("Clip", 10);
  FirstNode(old).Float("min", 0).Float("max", 6);
  OnnxBuilder recent = OneNode("Clip", 11, {"lo", "hi"});
  recent.Floats("lo", {}, {0});
  recent.Floats("hi", {1}, {6});
  for (const OnnxBuilder& builder : {old, recent}) {
    const Graph graph = builder.Load();
    EXPECT_EQ(AttributesOf(graph).Float("min", -1), 0);
    EXPECT_EQ(AttributesOf(graph).Float("max", -1), 6);
    EXPECT_EQ(OnlyNode(graph).inputs.size(), 1U);
  }
  OnnxBuilder half = OneNode("Clip", 13, {"", "hi"});
  half.Floats("hi", {}, {6});
  EXPECT_FALSE(AttributesOf(half.Load()).Has("min"));
  EXPECT_THAT(OneNode("Clip", 13, {"x"}).LoadError(),
              HasSubstr("min (\"x\") is computed or given at run time"));
}

TEST(OnnxOperators, PlainOperatorsAndTheirDefaults) {
  for (const char* op : {"Relu", "Sigmoid", "Identity", "GlobalAveragePool"}) {
    EXPECT_EQ(OpName(OnlyNode(OneNode(op, 9).Load()).type), op);
  }
  EXPECT_EQ(OnlyNode(OneNode("HardSwish", 14).Load()).type, OpType::kHardSwish);
  const Graph sigmoid = OneNode("HardSigmoid", 9).Load();
  EXPECT_FLOAT_EQ(static_cast<float>(AttributesOf(sigmoid).Float("alpha", 0)), 0.2F);
  EXPECT_EQ(AttributesOf(sigmoid).Float("beta", 0), 0.5);
  OnnxBuilder lrn = OneNode("LRN", 9);
  FirstNode(lrn).Int("size", 5).Float("bias", 2);
  EXPECT_EQ(AttributesOf(lrn.Load()).Int("size", 0), 5);
  EXPECT_EQ(AttributesOf(lrn.Load()).Float("bias", 0), 2);
}

TEST(OnnxOperators, Pools) {
  OnnxBuilder max = OneNode("MaxPool", 10);
  FirstNode(max).Ints("kernel_shape", {3, 3}).Ints("strides", {2, 2}).Int("ceil_mode", 1);
  const Graph graph = max.Load();
  EXPECT_EQ(AttributesOf(graph).Int("ceil_mode", 0), 1);
  EXPECT_EQ(graph.outputs[0].shape, Shape({-1, 4, 4, 4}));

  OnnxBuilder average = OneNode("AveragePool", 19);
  FirstNode(average).Ints("kernel_shape", {2, 2}).Int("count_include_pad", 1);
  EXPECT_EQ(AttributesOf(average.Load()).Int("count_include_pad", 0), 1);
  FirstNode(average).Ints("dilations", {2, 2});
  EXPECT_THAT(average.LoadError(), HasSubstr("dilations other than 1 are not supported"));

  FirstNode(max).proto().add_output("indices");
  EXPECT_EQ(max.LoadError(), "no error");  // nothing reads them
  max.Output("indices");
  EXPECT_THAT(max.LoadError(), HasSubstr("output 1 (\"indices\") is used"));
}

TEST(OnnxOperators, ReduceMeanAxesFromAttributeOrInput) {
  OnnxBuilder old = OneNode("ReduceMean", 17);
  FirstNode(old).Ints("axes", {-1, 2}).Int("keepdims", 0);
  OnnxBuilder recent = OneNode("ReduceMean", 18, {"a"});
  recent.Ints("a", {-1, 2});
  FirstNode(recent).Int("keepdims", 0);
  for (const OnnxBuilder& builder : {old, recent}) {
    const Graph graph = builder.Load();
    EXPECT_EQ(AttributesOf(graph).Ints("axes", {}), Ints({3, 2}));
    EXPECT_EQ(AttributesOf(graph).Int("keepdims", 1), 0);
    EXPECT_EQ(graph.outputs[0].shape, Shape({-1, 4}));
  }
  OnnxBuilder noop = OneNode("ReduceMean", 18);
  FirstNode(noop).Int("noop_with_empty_axes", 1);
  EXPECT_EQ(OnlyNode(noop.Load()).type, OpType::kIdentity);
}

TEST(OnnxOperators, ReshapeFollowsTheBatch) {
  const auto shape = [](const Ints& input, const Ints& target) {
    OnnxBuilder builder(13);
    builder.Input("x", input).Output("y").Ints("s", target);
    builder.Node("Reshape", {"x", "s"}, {"y"});
    return AttributesOf(builder.Load()).Ints("shape", {});
  };
  EXPECT_EQ(shape({-1, 4, 8}, {0, -1}), Ints({0, -1}));
  EXPECT_EQ(shape({2, 4, 8}, {2, 32}), Ints({-1, 32}));
  EXPECT_EQ(shape({2, 4, 8}, {2, -1}), Ints({0, -1}));
  EXPECT_EQ(shape({-1, 4, 8}, {2, 32}), Ints({2, 32}));  // free in the file: no exporter's batch
  EXPECT_EQ(shape({2, 4, 8}, {2, 2, 16}), Ints({-1, 2, 16}));
  EXPECT_EQ(shape({2, 4, 8}, {8, 8}), Ints({8, 8}));
  EXPECT_THAT(ErrorOf([&] { shape({-1, 4}, {-1, -1}); }), HasSubstr("shape holds several -1"));
}

TEST(OnnxOperators, PadFromAttributesInputsAndAxes) {
  OnnxBuilder old = OneNode("Pad", 9);
  FirstNode(old).Ints("pads", {0, 0, 1, 2, 0, 0, 3, 4}).Float("value", 0.5F);
  OnnxBuilder recent = OneNode("Pad", 13, {"p", "v"});
  recent.Ints("p", {0, 0, 1, 2, 0, 0, 3, 4});
  recent.Floats("v", {}, {0.5F});
  OnnxBuilder axes = OneNode("Pad", 18, {"p", "v", "a"});
  axes.Ints("p", {2, 1, 4, 3});
  axes.Floats("v", {}, {0.5F});
  axes.Ints("a", {-1, 2});
  for (const OnnxBuilder& builder : {old, recent, axes}) {
    const Graph graph = builder.Load();
    EXPECT_EQ(AttributesOf(graph).Ints("pads", {}), Ints({0, 0, 1, 2, 0, 0, 3, 4}));
    EXPECT_EQ(AttributesOf(graph).Float("constant_value", 0), 0.5);
    EXPECT_EQ(AttributesOf(graph).String("mode", ""), "constant");
    EXPECT_EQ(graph.outputs[0].shape, Shape({-1, 4, 12, 14}));
  }
}

TEST(OnnxOperators, SliceFromAttributesOrInputs) {
  OnnxBuilder old = OneNode("Slice", 9);
  FirstNode(old).Ints("starts", {1, -4}).Ints("ends", {3, INT64_MAX}).Ints("axes", {1, -1});
  OnnxBuilder recent = OneNode("Slice", 10, {"s", "e", "a"});
  recent.Ints("s", {1, -4});
  recent.Ints("e", {3, INT64_MAX});
  recent.Ints("a", {1, -1});
  for (const OnnxBuilder& builder : {old, recent}) {
    const Graph graph = builder.Load();
    EXPECT_EQ(AttributesOf(graph).Ints("axes", {}), Ints({1, 3}));
    EXPECT_EQ(AttributesOf(graph).Ints("steps", {}), Ints({1, 1}));
    EXPECT_EQ(graph.outputs[0].shape, Shape({-1, 2, 8, 4}));
  }
}

TEST(OnnxOperators, SplitIsExplicit) {
  const auto split = [](int64_t opset, bool as_input, const Ints& parts, int64_t channels) {
    OnnxBuilder builder(opset);
    builder.Input("x", {-1, channels, 8, 8}).Output("a").Output("b");
    auto node = builder.Node("Split", {"x"}, {"a", "b"}).Int("axis", -3);
    if (as_input) builder.Ints("s", parts);
    if (as_input) node.proto().add_input("s");
    if (!as_input && !parts.empty()) node.Ints("split", parts);
    if (opset >= 18 && !as_input) node.Int("num_outputs", 2);
    return AttributesOf(builder.Load()).Ints("split", {});
  };
  EXPECT_EQ(split(11, false, {1, 3}, 4), Ints({1, 3}));
  EXPECT_EQ(split(13, true, {1, 3}, 4), Ints({1, 3}));
  EXPECT_EQ(split(13, false, {}, 4), Ints({2, 2}));
  EXPECT_EQ(split(18, false, {}, 5), Ints({3, 2}));
  EXPECT_THAT(ErrorOf([&] { split(13, false, {}, 5); }),
              HasSubstr("cannot split 5 entries into 2 parts"));
  EXPECT_THAT(ErrorOf([&] { split(13, true, {1, 2}, 4); }), HasSubstr("does not add up to the 4"));
}

TEST(OnnxOperators, ResizeAndUpsample) {
  OnnxBuilder upsample = OneNode("Upsample", 9, {"s"});
  OnnxBuilder ten = OneNode("Resize", 10, {"s"});
  OnnxBuilder eleven = OneNode("Resize", 11, {"roi", "s"});
  FirstNode(eleven).String("coordinate_transformation_mode", "asymmetric");
  FirstNode(eleven).String("nearest_mode", "floor");
  eleven.Floats("roi", {0});
  for (OnnxBuilder* builder : {&upsample, &ten, &eleven}) builder->Floats("s", {4}, {1, 1, 2, 2});
  for (const OnnxBuilder& builder : {upsample, ten, eleven}) {
    const Graph graph = builder.Load();
    EXPECT_EQ(OnlyNode(graph).type, OpType::kResize);
    EXPECT_EQ(AttributesOf(graph).Floats("scales", {}), Doubles({1, 1, 2, 2}));
    EXPECT_EQ(AttributesOf(graph).String("coordinate_transformation_mode", ""), "asymmetric");
    EXPECT_EQ(AttributesOf(graph).String("nearest_mode", ""), "floor");
    EXPECT_EQ(graph.outputs[0].shape, Shape({-1, 4, 16, 16}));
  }
}

TEST(OnnxOperators, ResizeSizesLeaveTheBatchFree) {
  const auto resize = [](const Ints& sizes) {
    OnnxBuilder builder(13);
    builder.Input("x", {1, 4, 8, 8}).Output("y").Ints("s", sizes);
    builder.Node("Resize", {"x", "", "", "s"}, {"y"});
    return builder.Load().node(0).attributes;
  };
  EXPECT_EQ(resize({1, 4, 16, 4}).Floats("scales", {}), Doubles({1, 1, 2, 0.5}));
  EXPECT_FALSE(resize({1, 4, 16, 4}).Has("sizes"));
  EXPECT_EQ(resize({1, 4, 16, 7}).Floats("scales", {}), Doubles({1, 1, 2, 0.875}));
  OnnxBuilder odd(13);
  odd.Input("x", {1, 4, 3, 3}).Output("y").Ints("s", {1, 4, 7, 7});
  odd.Node("Resize", {"x", "", "", "s"}, {"y"});
  const Graph graph = odd.Load();
  EXPECT_EQ(AttributesOf(graph).Ints("sizes", {}), Ints({-1, 4, 7, 7}));
  EXPECT_EQ(graph.outputs[0].shape, Shape({-1, 4, 7, 7}));
}

TEST(OnnxOperators, SoftmaxBeforeOpset13NormalisesTheRest) {
  const auto load = [](int64_t opset, const Ints& input) {
    OnnxBuilder builder(opset);
    builder.Input("x", input).Output("y").Node("Softmax", {"x"}, {"y"});
    return builder.Load();
  };
  const Graph plain = load(12, {-1, 10});
  EXPECT_EQ(AttributesOf(plain).Int("axis", 0), 1);
  const Graph trailing = load(9, {-1, 1000, 1, 1});
  EXPECT_EQ(AttributesOf(trailing).Int("axis", 0), 1);
  const Graph joined = load(9, {-1, 10, 3, 2});
  ASSERT_EQ(joined.nodes().size(), 3U);
  EXPECT_EQ(joined.node(0).type, OpType::kFlatten);
  EXPECT_EQ(joined.node(1).type, OpType::kSoftmax);
  EXPECT_EQ(joined.node(2).attributes.Ints("shape", {}), Ints({-1, 10, 3, 2}));
  EXPECT_EQ(joined.outputs[0].shape, Shape({-1, 10, 3, 2}));
  const Graph recent = load(13, {-1, 10, 3, 2});
  EXPECT_EQ(AttributesOf(recent).Int("axis", 0), 3);
}

TEST(OnnxOperators, Dropout) {
  OnnxBuilder old = OneNode("Dropout", 10);
  FirstNode(old).Float("ratio", 0.25F);
  OnnxBuilder recent = OneNode("Dropout", 12, {"r"});
  recent.Floats("r", {}, {0.25F});
  for (OnnxBuilder builder : {old, recent}) {
    FirstNode(builder).proto().add_output("mask");
    EXPECT_EQ(AttributesOf(builder.Load()).Float("ratio", 0), 0.25);
    builder.Output("mask");
    EXPECT_THAT(builder.LoadError(), HasSubstr("output 1 (\"mask\") is used"));
  }
  OnnxBuilder training = OneNode("Dropout", 13, {"", "t"});
  auto& flag = training.Ints("t", {1});
  flag.set_data_type(pb::TensorProto::BOOL);
  flag.clear_int64_data();
  flag.add_int32_data(1);
  EXPECT_THAT(training.LoadError(), HasSubstr("is in training mode"));
}

TEST(OnnxOperators, ConcatFlattenTransposeNormaliseAxes) {
  OnnxBuilder concat = OneNode("Concat", 11, {"x"});
  FirstNode(concat).Int("axis", -3);
  EXPECT_EQ(AttributesOf(concat.Load()).Int("axis", 0), 1);
  OnnxBuilder flatten = OneNode("Flatten", 11);
  FirstNode(flatten).Int("axis", -2);
  const Graph graph = flatten.Load();
  EXPECT_EQ(AttributesOf(graph).Int("axis", 0), 2);
  OnnxBuilder transpose = OneNode("Transpose", 9);
  FirstNode(transpose).Ints("perm", {0, 2, 3, 1});
  EXPECT_EQ(transpose.Load().outputs[0].shape, Shape({-1, 8, 8, 4}));
}

TEST(OnnxOperators, SigmoidTimesItselfStaysTwoNodes) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 4}).Output("y");
  builder.Node("Sigmoid", {"x"}, {"s"});
  builder.Node("Mul", {"x", "s"}, {"y"});
  const Graph graph = builder.Load();
  ASSERT_EQ(graph.nodes().size(), 2U);
  EXPECT_EQ(graph.node(0).type, OpType::kSigmoid);
  EXPECT_EQ(graph.node(1).type, OpType::kMul);
}

}  // namespace
}  // namespace sparsify

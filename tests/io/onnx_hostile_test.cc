// Files that are damaged, hostile or beyond what is supported: a clear Error, never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <random>

#include "onnx_builder.h"
#include "sparsity/base/log.h"
#include "sparsity/io/onnx.h"

namespace sparsify {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(OnnxHostile, OpsetRange) {
  for (const int64_t opset : {0, 8, 20}) {
    EXPECT_EQ(OneNode("Relu", opset).LoadError(),
              fmt::format("net.onnx: uses opset {}; opsets 9 to 19 are supported, convert the "
                          "model first",
                          opset));
  }
  for (int64_t opset = 9; opset <= 19; ++opset) {
    EXPECT_EQ(OneNode("Relu", opset).LoadError(), "no error");
  }
  OnnxBuilder builder = OneNode("Relu", 13);
  builder.model().mutable_opset_import(0)->set_domain("com.example");
  EXPECT_THAT(builder.LoadError(), HasSubstr("declares no opset of the default domain"));
}

TEST(OnnxHostile, UnsupportedNodeSaysWhatIsSupported) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 3}).Output("y");
  builder.Node("Squeeze", {"x"}, {"a"});
  builder.Node("Gather", {"a"}, {"y"});
  EXPECT_EQ(builder.LoadError(),
            "net.onnx: node \"node_a\": operator Squeeze (domain \"ai.onnx\", opset 13) is not "
            "supported (nor are these, also used: Gather); supported: Add, AveragePool, "
            "BatchNormalization, Clip, Concat, Constant, Conv, Dropout, Flatten, Gemm, "
            "GlobalAveragePool, HardSigmoid, HardSwish, Identity, LRN, MatMul, MaxPool, Mul, Pad, "
            "ReduceMean, Relu, Reshape, Resize, Sigmoid, Slice, Softmax, Split, Transpose, "
            "Upsample");
  OnnxBuilder domain = OneNode("Conv", 13, {"w"});
  domain.Floats("w", {4, 4, 1, 1});
  FirstNode(domain).proto().set_domain("com.example");
  EXPECT_THAT(domain.LoadError(), HasSubstr("operator Conv (domain \"com.example\", opset 13)"));
  EXPECT_THAT(OneNode("HardSwish", 13).LoadError(), HasSubstr("operator HardSwish"));
  EXPECT_THAT(OneNode("Upsample", 10).LoadError(), HasSubstr("operator Upsample"));
  EXPECT_THAT(OneNode("SiLU", 13).LoadError(), HasSubstr("operator SiLU"));
}

TEST(OnnxHostile, UnsupportedModelParts) {
  OnnxBuilder functions = OneNode("Relu", 13);
  functions.model().add_functions();
  EXPECT_THAT(functions.LoadError(), HasSubstr("defines functions"));
  OnnxBuilder training = OneNode("Relu", 13);
  training.model().add_training_info();
  EXPECT_THAT(training.LoadError(), HasSubstr("holds training information"));
  OnnxBuilder sparse = OneNode("Relu", 13);
  sparse.graph().add_sparse_initializer();
  EXPECT_THAT(sparse.LoadError(), HasSubstr("holds sparse initializers"));
  OnnxBuilder quantised = OneNode("Relu", 13);
  quantised.graph().add_quantization_annotation();
  EXPECT_THAT(quantised.LoadError(), HasSubstr("quantised models are refused"));
  OnnxBuilder bytes = OneNode("Relu", 13);
  bytes.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(2);
  EXPECT_THAT(bytes.LoadError(), HasSubstr("input \"x\" has type uint8, expected float"));
  OnnxBuilder sequence = OneNode("Relu", 13);
  sequence.graph().mutable_input(0)->clear_type();
  EXPECT_THAT(sequence.LoadError(), HasSubstr("has type other than tensor"));
  EXPECT_THAT(OnnxBuilder(13).LoadError(), HasSubstr("has no nodes"));
  OnnxBuilder none(13);
  none.model().clear_graph();
  EXPECT_THAT(none.LoadError(), HasSubstr("holds no graph"));
}

TEST(OnnxHostile, TensorsThatLieAboutTheirSize) {
  const auto error = [](const std::vector<int64_t>& dims, const std::string& raw) {
    OnnxBuilder builder = OneNode("Add", 13, {"c"});
    auto& tensor = builder.Ints("c", {});
    tensor.set_data_type(pb::TensorProto::FLOAT);
    tensor.clear_dims();
    tensor.mutable_dims()->Add(dims.begin(), dims.end());
    tensor.set_raw_data(raw);
    return builder.LoadError();
  };
  EXPECT_THAT(error({2}, "1234567"),
              HasSubstr("tensor \"c\": holds 7 bytes, its 2 float elements need 8"));
  EXPECT_THAT(error({-1, 2}, "12345678"), HasSubstr("negative dimension in [-1,2]"));
  EXPECT_THAT(error({int64_t{1} << 62, 4}, "12345678"), HasSubstr("more than 2^40 elements"));
  EXPECT_THAT(error({int64_t{1} << 39}, "12345678"), HasSubstr("holds 8 bytes"));
  EXPECT_THAT(error({0}, ""), HasSubstr("parameter \"c\" of shape [0] has no elements"));
  OnnxBuilder typed = OneNode("Add", 13, {"c"});
  typed.Floats("c", {3}).add_float_data(1);
  EXPECT_THAT(typed.LoadError(), HasSubstr("holds 4 values, its shape needs 3"));
}

TEST(OnnxHostile, Wiring) {
  const auto error = [](const auto& build) {
    OnnxBuilder builder(13);
    builder.Input("x", {-1, 4});
    build(builder);
    return builder.LoadError();
  };
  EXPECT_THAT(error([](auto& b) { b.Output("y").Node("Relu", {"ghost"}, {"y"}); }),
              HasSubstr("reads \"ghost\", which nothing makes"));
  EXPECT_THAT(error([](auto& b) { b.Output("gone").Node("Relu", {"x"}, {"y"}); }),
              HasSubstr("output \"gone\" is made by no node"));
  EXPECT_THAT(error([](auto& b) {
                b.Output("y").Node("Relu", {"x"}, {"y"});
                b.Node("Relu", {"x"}, {"y"});
              }),
              HasSubstr("value \"y\" is made twice"));
  EXPECT_THAT(error([](auto& b) {
                b.Output("y").Node("Add", {"x", "z"}, {"y"});
                b.Node("Relu", {"y"}, {"z"});
              }),
              HasSubstr("cycle through 2 nodes"));
  EXPECT_THAT(error([](auto& b) { b.Output("y").Node("Relu", {"x"}, {"x"}); }),
              HasSubstr("output \"y\" is made by no node"));
  EXPECT_THAT(error([](auto& b) { b.Output("x").Node("Relu", {"x"}, {"x"}); }),
              HasSubstr("value name \"x\" is empty or used twice"));
  EXPECT_THAT(error([](auto& b) {
                b.Output("c").Node("Relu", {"x"}, {"y"});
                b.Floats("c", {1});
              }),
              HasSubstr("output \"c\" is a constant"));
  EXPECT_THAT(error([](auto& b) { b.Output("x").Node("Relu", {"x"}, {"y"}); }),
              HasSubstr("output \"x\" is an input of the graph"));
  EXPECT_THAT(error([](auto& b) { b.Output("y").Output("y").Node("Relu", {"x"}, {"y"}); }),
              HasSubstr("output \"y\" is listed twice"));
  EXPECT_THAT(error([](auto& b) {
                b.Output("y").Node("Add", {"x", "c"}, {"y"});
                b.Floats("c", {1});
                b.Floats("c", {1});
              }),
              HasSubstr("constant \"c\" is defined twice"));
  EXPECT_THAT(error([](auto& b) {
                b.Output("y").Node("Identity", {"i"}, {"j"});
                b.Node("Identity", {"j"}, {"i"});
                b.Node("Add", {"x", "i"}, {"y"});
              }),
              HasSubstr("cycle"));
}

TEST(OnnxHostile, NodesWithWrongInputsAndAttributes) {
  EXPECT_THAT(OneNode("Add", 13).LoadError(),
              HasSubstr("net.onnx: node \"node_y\" (Add, opset 13): has 1 inputs, expected 2"));
  EXPECT_THAT(OneNode("Add", 13, {"", "x"}).LoadError(), HasSubstr("has 3 inputs, expected 2"));
  OnnxBuilder gap(13);
  gap.Input("x", {-1, 4}).Output("y").Node("Add", {"", "x"}, {"y"});
  EXPECT_THAT(gap.LoadError(), HasSubstr("input 0 is missing"));
  OnnxBuilder type = OneNode("Flatten", 13);
  FirstNode(type).Float("axis", 1);
  EXPECT_THAT(type.LoadError(), HasSubstr("attribute \"axis\" is a float, expected an integer"));
  OnnxBuilder unknown = OneNode("Flatten", 13);
  FirstNode(unknown).Int("axes", 1);
  EXPECT_THAT(unknown.LoadError(), HasSubstr("attribute \"axes\" is not known for this operator "
                                             "and opset; known: axis"));
  OnnxBuilder twice = OneNode("Flatten", 13);
  FirstNode(twice).Int("axis", 1).Int("axis", 2);
  EXPECT_THAT(twice.LoadError(), HasSubstr("attribute \"axis\" is given twice"));
  OnnxBuilder range = OneNode("Flatten", 13);
  FirstNode(range).Int("axis", INT64_MIN);
  EXPECT_THAT(range.LoadError(), HasSubstr("is out of range for 4 dimensions"));
  OnnxBuilder reference = OneNode("Flatten", 13);
  FirstNode(reference).Int("axis", 1).proto().mutable_attribute(0)->set_ref_attr_name("a");
  EXPECT_THAT(reference.LoadError(), HasSubstr("refers to a function's"));
}

TEST(OnnxHostile, WindowsOutOfRange) {
  const auto error = [](const std::string& name, const std::vector<int64_t>& values) {
    OnnxBuilder builder = OneNode("MaxPool", 13);
    if (name != "kernel_shape") FirstNode(builder).Ints("kernel_shape", {2, 2});
    FirstNode(builder).Ints(name, values);
    return builder.LoadError();
  };
  EXPECT_THAT(error("kernel_shape", {0, 2}), HasSubstr("kernel_shape holds 0, expected 1 to"));
  EXPECT_THAT(error("kernel_shape", {INT64_MAX, 2}), HasSubstr("kernel_shape holds"));
  EXPECT_THAT(error("kernel_shape", {3}), HasSubstr("kernel_shape has 1 entries, expected 2"));
  EXPECT_THAT(error("kernel_shape", {9, 9}), HasSubstr("window of 9 does not fit an input of 8"));
  EXPECT_THAT(error("strides", {0, 1}), HasSubstr("strides holds 0"));
  EXPECT_THAT(error("pads", {-1, 0, 0, 0}), HasSubstr("pads holds -1"));
  EXPECT_THAT(error("pads", {0, 0, 0, 1 << 20}), HasSubstr("pads holds 1048576"));
  EXPECT_THAT(error("dilations", {1, INT64_MIN}), HasSubstr("dilations holds"));
}

TEST(OnnxHostile, ParametersOfWrongShape) {
  const auto conv = [](const std::vector<int64_t>& weight, const std::vector<int64_t>& bias,
                       int64_t group) {
    OnnxBuilder builder = OneNode("Conv", 13, {"w", "b"});
    builder.Floats("w", weight);
    builder.Floats("b", bias);
    FirstNode(builder).Int("group", group);
    return builder.LoadError();
  };
  EXPECT_EQ(conv({4, 4, 1, 1}, {4}, 1), "no error");
  EXPECT_THAT(conv({4, 4, 1}, {4}, 1), HasSubstr("weight has shape [4,4,1], expected four"));
  EXPECT_THAT(conv({4, 4, 1, 1}, {3}, 1), HasSubstr("bias has shape [3], expected [4]"));
  EXPECT_THAT(conv({4, 4, 1, 1}, {4}, 3), HasSubstr("group is 3, expected a divisor of the 4"));
  EXPECT_THAT(conv({4, 4, 1, 1}, {4}, 0), HasSubstr("group is 0"));
  OnnxBuilder norm = OneNode("BatchNormalization", 13, {"s", "b", "m", "v"});
  for (const char* name : {"s", "b", "m"}) norm.Floats(name, {4});
  norm.Floats("v", {3});
  EXPECT_THAT(norm.LoadError(), HasSubstr("parameters have shapes [4] and [3], expected four"));
  OnnxBuilder computed = OneNode("Conv", 13, {"x"});
  EXPECT_THAT(computed.LoadError(), HasSubstr("weight (\"x\") is computed or given at run time"));
}

TEST(OnnxHostile, NestingBeyondReason) {
  OnnxBuilder builder = OneNode("Relu", 13);
  pb::GraphProto nested;
  for (int depth = 0; depth < 500; ++depth) {
    pb::GraphProto outer;
    auto& attribute = *outer.add_node()->add_attribute();
    attribute.set_name("body");
    attribute.set_type(pb::AttributeProto::GRAPH);
    attribute.mutable_g()->Swap(&nested);
    nested.Swap(&outer);
  }
  builder.graph().mutable_node(0)->add_attribute()->mutable_g()->Swap(&nested);
  EXPECT_THAT(builder.LoadError(), HasSubstr("is not an ONNX model, or is truncated"));
}

TEST(OnnxHostile, RichModelIsValid) {
  const std::string bytes = RichModel();
  EXPECT_EQ(ErrorOf([&] { ParseOnnx(bytes.data(), static_cast<int64_t>(bytes.size()), "rich"); }),
            "no error");
}

// Any other exception than Error, and any crash, fails these.
bool LoadsOrThrows(const std::string& bytes) {
  try {
    ParseOnnx(bytes.data(), static_cast<int64_t>(bytes.size()), "mutant.onnx");
    return true;
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("mutant.onnx"));
    return false;
  }
}

TEST(OnnxHostile, SurvivesFlippedBytes) {
  const LogCapture quiet;
  const std::string original = RichModel();
  std::mt19937 random(1);
  int loaded = 0;
  constexpr int kRounds = 6000;
  for (int round = 0; round < kRounds; ++round) {
    std::string bytes = original;
    for (unsigned flips = random() % 4 + 1; flips > 0; --flips) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    loaded += LoadsOrThrows(bytes);
  }
  EXPECT_GT(loaded, 0);
  EXPECT_LT(loaded, kRounds);
}

TEST(OnnxHostile, SurvivesTruncation) {
  const LogCapture quiet;
  const std::string original = RichModel();
  for (size_t size = 1; size < original.size(); ++size) LoadsOrThrows(original.substr(0, size));
}

}  // namespace
}  // namespace sparsify

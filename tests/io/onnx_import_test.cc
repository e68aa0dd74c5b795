// What surrounds the operators: constants, names, batch size, data types, external data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "onnx_builder.h"
#include "sparsity/base/log.h"
#include "sparsity/io/onnx.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// x[batch,2] + c → y, where `c` is to be added.
OnnxBuilder AddConstant(int64_t opset = 13) {
  OnnxBuilder builder(opset);
  builder.Input("x", {-1, 2}).Output("y").Node("Add", {"x", "c"}, {"y"});
  return builder;
}

std::vector<float> ValuesOf(const Graph& graph, const std::string& name) {
  const auto values = graph.value(graph.FindValue(name)).data.values();
  return {values.begin(), values.end()};
}

TEST(OnnxImport, IdentityOnInitializersSharesOneParameter) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 4, 8, 8}).Output("b");
  builder.Node("Identity", {"second"}, {"third"});  // before what it reads
  builder.Node("Identity", {"w"}, {"second"});
  builder.Node("Conv", {"x", "w"}, {"a"});
  builder.Node("Conv", {"a", "third"}, {"b"});
  builder.Floats("w", {4, 4, 1, 1});
  const Graph graph = builder.Load();
  ASSERT_EQ(graph.nodes().size(), 2U);
  EXPECT_EQ(graph.node(0).inputs[1], graph.node(1).inputs[1]);
  EXPECT_EQ(graph.value(graph.node(0).inputs[1]).name, "w");
}

TEST(OnnxImport, IdentityOnActivationsStays) {
  OnnxBuilder builder = OneNode("Identity", 13);
  EXPECT_EQ(builder.Load().node(0).type, OpType::kIdentity);
}

TEST(OnnxImport, ConstantNodesOfEveryKind) {
  const auto load = [](int64_t opset, const auto& set) {
    OnnxBuilder builder = AddConstant(opset);
    set(builder.Node("Constant", {}, {"c"}));
    return ValuesOf(builder.Load(), "c");
  };
  EXPECT_THAT(load(13, [](NodeBuilder n) { n.Float("value_float", 2); }), ElementsAre(2));
  EXPECT_THAT(load(13, [](NodeBuilder n) { n.Floats("value_floats", {2, 3}); }), ElementsAre(2, 3));
  EXPECT_THAT(load(9,
                   [](NodeBuilder n) {
                     auto& attribute = *n.proto().add_attribute();
                     attribute.set_name("value");
                     attribute.set_type(pb::AttributeProto::TENSOR);
                     attribute.mutable_t()->set_data_type(pb::TensorProto::FLOAT);
                     attribute.mutable_t()->add_dims(1);
                     attribute.mutable_t()->add_float_data(5);
                   }),
              ElementsAre(5));
  EXPECT_THAT(ErrorOf([&] { load(13, [](NodeBuilder n) { n.Int("value_int", 2); }); }),
              HasSubstr("tensor \"c\": has type int64, expected float"));
  EXPECT_THAT(ErrorOf([&] { load(13, [](NodeBuilder n) { n.String("value_string", "s"); }); }),
              HasSubstr("attribute \"value_string\" is unknown"));
  EXPECT_THAT(ErrorOf([&] { load(13, [](NodeBuilder n) { n.Int("value_float", 1); }); }),
              HasSubstr("of another type than its name says"));

  OnnxBuilder reshape = OneNode("Reshape", 13, {"s"});
  reshape.Node("Constant", {}, {"s"}).Ints("value_ints", {0, -1});
  EXPECT_EQ(reshape.Load().outputs[0].shape, Shape({-1, 256}));
}

TEST(OnnxImport, InputsThatAreInitializersAreNoInputs) {
  OnnxBuilder builder = AddConstant();
  builder.Input("c", {2});
  builder.Floats("c", {2});
  EXPECT_EQ(builder.Load().inputs.size(), 1U);
}

TEST(OnnxImport, BatchSizeIsAlwaysFree) {
  for (const int64_t batch : {-1, 0, 1, 8}) {
    OnnxBuilder builder(13);
    builder.Input("x", {batch, 3}).Output("y", {batch, 3}).Node("Relu", {"x"}, {"y"});
    LogCapture log;
    const Graph graph = builder.Load();
    EXPECT_EQ(graph.inputs[0].shape, Shape({-1, 3}));
    EXPECT_EQ(graph.outputs[0].shape, Shape({-1, 3}));
    EXPECT_EQ(log.Contains("the batch size is made free"), batch > 0) << batch;
  }
}

TEST(OnnxImport, NamesAreMadeAndKeptUnique) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 3}).Output("y");
  builder.Node("Relu", {"x"}, {"a"}).proto().clear_name();
  builder.Node("Relu", {"a"}, {"b"}).proto().set_name("same");
  builder.Node("Relu", {"b"}, {"c"}).proto().set_name("same");
  builder.Node("Relu", {"c"}, {"y"}).proto().set_name("same_2");
  const Graph graph = builder.Load();
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name);
  EXPECT_THAT(names, ElementsAre("Relu_0", "same", "same_2", "same_2_2"));
  EXPECT_EQ(graph.name, "net");
}

TEST(OnnxImport, OutputsWithoutANameGetOne) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 4}).Output("b");
  builder.Node("Split", {"x"}, {"", "b"}).Int("axis", 1);
  const Graph graph = builder.Load();
  EXPECT_EQ(graph.value(graph.node(0).outputs[0]).name, "Split_0_output_0");
  EXPECT_EQ(graph.outputs[0].shape, Shape({-1, 2}));
}

TEST(OnnxImport, NodesInAnyOrderAndDeadOnesDropped) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 3}).Output("y");
  builder.Node("Relu", {"a"}, {"y"});
  builder.Node("Sigmoid", {"x"}, {"a"});
  builder.Node("Squeeze", {"x"}, {"unused"});
  builder.Floats("spare", {2});
  LogCapture log;
  const Graph graph = builder.Load();
  ASSERT_EQ(graph.nodes().size(), 2U);
  EXPECT_EQ(graph.node(0).type, OpType::kSigmoid);
  EXPECT_EQ(graph.FindValue("spare"), kNoValue);
  EXPECT_TRUE(log.Contains("node \"node_unused\" reaches no output and is dropped"));
  EXPECT_TRUE(log.Contains("unused constant \"spare\" dropped"));
}

TEST(OnnxImport, ComputedConstantsAreNoted) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 3}).Output("y").Floats("w", {2, 3});
  builder.Node("Transpose", {"w"}, {"t"});
  builder.Node("MatMul", {"x", "t"}, {"y"});
  const LogCapture log;
  EXPECT_EQ(builder.Load().outputs[0].shape, Shape({-1, 2}));
  EXPECT_TRUE(log.Contains("net.onnx: node \"node_t\" (Transpose, opset 13) computes a constant"));
}

TEST(OnnxImport, FloatTypesBecomeFloat) {
  const auto load = [](int type, auto fill) {
    OnnxBuilder builder = AddConstant();
    auto& tensor = builder.Floats("c", {2});
    tensor.clear_float_data();
    tensor.set_data_type(type);
    fill(tensor);
    LogCapture log;
    const auto values = ValuesOf(builder.Load(), "c");
    EXPECT_EQ(log.Contains("1 parameter converted") || log.Contains("parameter converted to float"),
              type != pb::TensorProto::FLOAT);
    return values;
  };
  EXPECT_THAT(load(pb::TensorProto::FLOAT16,
                   [](auto& t) {
                     t.add_int32_data(0x3E00);
                     t.add_int32_data(0xC000);
                   }),
              ElementsAre(1.5F, -2));
  EXPECT_THAT(
      load(pb::TensorProto::FLOAT16, [](auto& t) { t.set_raw_data("\x01\x00\xFF\x03", 4); }),
      ElementsAre(std::ldexp(1.0F, -24), std::ldexp(1023.0F, -24)));
  EXPECT_THAT(
      load(pb::TensorProto::FLOAT16, [](auto& t) { t.set_raw_data("\x00\x7C\xFF\x7B", 4); }),
      ElementsAre(std::numeric_limits<float>::infinity(), 65504));
  EXPECT_THAT(
      load(pb::TensorProto::BFLOAT16, [](auto& t) { t.set_raw_data("\x80\x3F\xC0\xBF", 4); }),
      ElementsAre(1, -1.5F));
  EXPECT_THAT(load(pb::TensorProto::DOUBLE,
                   [](auto& t) {
                     t.add_double_data(0.1);
                     t.add_double_data(-3);
                   }),
              ElementsAre(0.1F, -3));
  EXPECT_THAT(
      load(pb::TensorProto::FLOAT,
           [](auto& t) { t.set_raw_data(std::string("\x00\x00\x80\x3F\x00\x00\x00\xC0", 8)); }),
      ElementsAre(1, -2));
  EXPECT_THAT(ErrorOf([&] {
                load(pb::TensorProto::DOUBLE, [](auto& t) {
                  t.add_double_data(1e300);
                  t.add_double_data(0);
                });
              }),
              HasSubstr("beyond the range of float"));
}

class OnnxExternal : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(::testing::TempDir()) / ("onnx_external_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_ / "model");
    const float values[] = {9, 1, 2, 9};
    std::ofstream(folder_ / "model" / "w.bin", std::ios::binary)
        .write(reinterpret_cast<const char*>(values), sizeof(values));
    std::ofstream(folder_ / "secret.bin") << "12345678";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Writes the model with the given external entries and loads it.
  Graph Load(const std::map<std::string, std::string>& entries) const {
    OnnxBuilder builder = AddConstant();
    auto& tensor = builder.Floats("c", {2});
    tensor.clear_float_data();
    tensor.set_data_location(pb::TensorProto::EXTERNAL);
    for (const auto& [key, value] : entries) {
      auto& entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
    const std::string path = (folder_ / "model" / "net.onnx").string();
    std::ofstream(path, std::ios::binary) << builder.Bytes();
    return LoadOnnx(path);
  }
  std::string LoadError(const std::map<std::string, std::string>& entries) const {
    return ErrorOf([&] { Load(entries); });
  }

  std::filesystem::path folder_;
};

TEST_F(OnnxExternal, ReadsOffsetAndLength) {
  EXPECT_THAT(ValuesOf(Load({{"location", "w.bin"}, {"offset", "4"}, {"length", "8"}}), "c"),
              ElementsAre(1, 2));
  EXPECT_THAT(ValuesOf(Load({{"location", "./w.bin"}, {"offset", "8"}}), "c"), ElementsAre(2, 9));
}

TEST_F(OnnxExternal, StaysInsideTheFolder) {
  const char* kOutside = "lies outside the model's folder";
  EXPECT_THAT(LoadError({{"location", "../secret.bin"}}), HasSubstr(kOutside));
  EXPECT_THAT(LoadError({{"location", (folder_ / "secret.bin").string()}}), HasSubstr(kOutside));
  EXPECT_THAT(LoadError({{"location", "a/../../secret.bin"}}), HasSubstr(kOutside));
  EXPECT_THAT(LoadError({}), HasSubstr(kOutside));
  std::filesystem::create_symlink("../secret.bin", folder_ / "model" / "link.bin");
  EXPECT_THAT(LoadError({{"location", "link.bin"}}), HasSubstr(kOutside));
}

TEST_F(OnnxExternal, ChecksSizes) {
  EXPECT_THAT(LoadError({{"location", "gone.bin"}}),
              HasSubstr("external data file \"gone.bin\" is missing beside the model"));
  EXPECT_THAT(LoadError({{"location", "w.bin"}, {"length", "12"}}),
              HasSubstr("external data of 12 bytes, its shape needs 8"));
  EXPECT_THAT(LoadError({{"location", "w.bin"}, {"offset", "12"}}),
              HasSubstr("needs 8 bytes at offset 12 of \"w.bin\", which has 16"));
  EXPECT_THAT(LoadError({{"location", "w.bin"}, {"offset", "9223372036854775807"}}),
              HasSubstr("needs 8 bytes at offset"));
  EXPECT_THAT(LoadError({{"location", "w.bin"}, {"offset", "-4"}}), HasSubstr("is not a size"));
  EXPECT_THAT(LoadError({{"location", "w.bin"}, {"offset", "4x"}}), HasSubstr("is not a size"));
  EXPECT_THAT(LoadError({{"location", "."}}), HasSubstr("is missing beside the model"));
}

TEST_F(OnnxExternal, RefusedInMemory) {
  OnnxBuilder builder = AddConstant();
  builder.Floats("c", {2}).set_data_location(pb::TensorProto::EXTERNAL);
  EXPECT_THAT(builder.LoadError(), HasSubstr("which a model in memory cannot have"));
}

TEST_F(OnnxExternal, CountsTowardsTheLimit) {
  Load({{"location", "w.bin"}});
  const std::string path = (folder_ / "model" / "net.onnx").string();
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path));
  EXPECT_THAT(ErrorOf([&] { LoadOnnx(path, {.max_bytes = size + 7}); }),
              HasSubstr("external data exceeds the limit"));
  EXPECT_EQ(ErrorOf([&] { LoadOnnx(path, {.max_bytes = size + 8}); }), "no error");
  EXPECT_THAT(ErrorOf([&] { LoadOnnx(path, {.max_bytes = size - 1}); }),
              HasSubstr("more than the limit of"));
}

TEST(OnnxFile, NamesWhatIsNotAModel) {
  const std::string folder = ::testing::TempDir();
  EXPECT_EQ(ErrorOf([&] { LoadOnnx(folder + "/missing.onnx"); }),
            folder + "/missing.onnx: no such file");
  EXPECT_THAT(ErrorOf([&] { LoadOnnx(folder); }), HasSubstr("is not a regular file"));
  const std::string path = folder + "/text_" + std::to_string(getpid()) + ".onnx";
  std::ofstream(path) << "";
  EXPECT_EQ(ErrorOf([&] { LoadOnnx(path); }), path + ": is empty");
  std::ofstream(path) << "This is no model.\n";
  EXPECT_EQ(ErrorOf([&] { LoadOnnx(path); }), path + ": is not an ONNX model, or is truncated");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace sparsify

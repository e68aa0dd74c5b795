#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "onnx_builder.h"
#include "sparsity/base/log.h"
#include "sparsity/io/onnx.h"
#include "tests/io/file_size_limit.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OnnxExport : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(::testing::TempDir()) / ("onnx_export_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    path_ = (folder_ / "net.onnx").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  pb::ModelProto Written() const {
    pb::ModelProto model;
    std::ifstream file(path_, std::ios::binary);
    EXPECT_TRUE(model.ParseFromIstream(&file));
    return model;
  }

  // Saves, loads again and compares.
  std::string RoundTripDifference(const Graph& graph) const {
    SaveOnnx(graph, path_);
    return Difference(graph, LoadOnnx(path_));
  }

  std::filesystem::path folder_;
  std::string path_;
};

// x → op(attributes) → y with a free batch.
Graph OneNodeGraph(OpType type, const Attributes& attributes, const Shape& input = {-1, 4, 8, 8},
                   const Shape& output = {-1, 4, 8, 8}) {
  Graph graph;
  graph.name = "net";
  const ValueId x = graph.AddActivation("x");
  const ValueId y = graph.AddActivation("y");
  graph.AddNode({"node", type, {x}, {y}, attributes});
  graph.inputs = {{x, input}};
  graph.outputs = {{y, output}};
  return graph;
}

TEST_F(OnnxExport, FoldedAttributesBecomeInputsAgain) {
  struct Case {
    std::string op;
    int64_t opset;
    std::vector<std::string> constants;
    std::function<void(OnnxBuilder&)> fill;
  };
  const std::vector<Case> cases = {
      {"Clip",
       11,
       {"lo", "hi"},
       [](auto& b) { b.Floats("lo", {}, {-1}), b.Floats("hi", {}, {6}); }},
      {"Clip", 11, {"", "hi"}, [](auto& b) { b.Floats("hi", {}, {6}); }},
      {"Pad",
       18,
       {"p", "v", "a"},
       [](auto& b) {
         b.Ints("p", {1, 2}), b.Floats("v", {}, {3}), b.Ints("a", {2});
       }},
      {"Slice",
       10,
       {"s", "e", "a", "t"},
       [](auto& b) {
         b.Ints("s", {-1}), b.Ints("e", {INT64_MIN}), b.Ints("a", {3}), b.Ints("t", {-2});
       }},
      {"Reshape",
       13,
       {"s"},
       [](auto& b) {
         b.Ints("s", {0, 2, 2, -1});
       }},
      {"ReduceMean",
       18,
       {"a"},
       [](auto& b) {
         b.Ints("a", {2, -1});
       }},
      {"Resize",
       13,
       {"", "s"},
       [](auto& b) {
         b.Floats("s", {4}, {1, 1, 2, 1.5F});
       }},
      {"Resize",
       13,
       {"", "", "s"},
       [](auto& b) {
         b.Ints("s", {7, 4, 3, 3});
       }},
      {"Dropout", 13, {"r"}, [](auto& b) { b.Floats("r", {}, {0.1F}); }},
      {"Conv",
       13,
       {"w", "b"},
       [](auto& b) {
         b.Floats("w", {2, 4, 3, 3}), b.Floats("b", {2});
       }},
      {"MatMul",
       13,
       {"w"},
       [](auto& b) {
         b.Floats("w", {8, 3});
       }},
      {"MatMul",
       13,
       {"w"},
       [](auto& b) {
         b.Floats("w", {4, 8, 3});
       }},
      {"Add",
       13,
       {"c"},
       [](auto& b) {
         b.Floats("c", {4, 1, 1});
       }},
      {"Transpose",
       13,
       {},
       [](auto& b) {
         FirstNode(b).Ints("perm", {0, 3, 1, 2});
       }},
      {"MaxPool",
       13,
       {},
       [](auto& b) {
         FirstNode(b).Ints("kernel_shape", {2, 3});
       }},
      {"AveragePool",
       13,
       {},
       [](auto& b) {
         FirstNode(b).Ints("kernel_shape", {2, 3});
       }},
      {"LRN", 13, {}, [](auto& b) { FirstNode(b).Int("size", 3); }},
      {"HardSigmoid", 13, {}, [](auto&) {}},
      {"HardSwish", 14, {}, [](auto&) {}},
      {"Softmax", 11, {}, [](auto&) {}},
      {"Concat", 11, {"x"}, [](auto& b) { FirstNode(b).Int("axis", 1); }},
  };
  for (const Case& c : cases) {
    OnnxBuilder builder = OneNode(c.op, c.opset, c.constants);
    c.fill(builder);
    const LogCapture quiet;
    EXPECT_EQ(RoundTripDifference(builder.Load()), "") << c.op << " opset " << c.opset;
    EXPECT_EQ(Written().opset_import(0).version(), c.op == "HardSwish" ? 14 : 13);
  }
}

TEST_F(OnnxExport, SplitAndSharedWeights) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 4, 2}).Output("z").Floats("w", {2, 2});
  builder.Node("Split", {"x"}, {"a", "b"}).Int("axis", 1);
  builder.Node("MatMul", {"a", "w"}, {"c"});
  builder.Node("MatMul", {"b", "w"}, {"d"});
  builder.Node("Mul", {"c", "d"}, {"z"});
  EXPECT_EQ(RoundTripDifference(builder.Load()), "");
  EXPECT_EQ(Written().graph().initializer_size(), 2);  // w, split
}

TEST_F(OnnxExport, HeaderAndBatch) {
  SaveOnnx(OneNodeGraph(OpType::kRelu, {}), path_);
  const pb::ModelProto model = Written();
  EXPECT_EQ(model.producer_name(), "sparsify");
  EXPECT_FALSE(model.producer_version().empty());
  EXPECT_EQ(model.ir_version(), 7);
  EXPECT_EQ(model.graph().name(), "net");
  const auto& shape = model.graph().input(0).type().tensor_type().shape();
  EXPECT_EQ(shape.dim(0).dim_param(), "batch");
  EXPECT_EQ(shape.dim(1).dim_value(), 4);
}

TEST_F(OnnxExport, SiluBecomesSigmoidAndMul) {
  SaveOnnx(OneNodeGraph(OpType::kSiLU, {}), path_);
  const Graph graph = LoadOnnx(path_);
  ASSERT_EQ(graph.nodes().size(), 2U);
  EXPECT_EQ(graph.node(0).type, OpType::kSigmoid);
  EXPECT_EQ(graph.node(1).type, OpType::kMul);
  EXPECT_EQ(graph.node(1).inputs,
            (std::vector<ValueId>{graph.FindValue("x"), graph.node(0).outputs[0]}));
  EXPECT_EQ(graph.value(graph.node(1).outputs[0]).name, "y");
}

TEST_F(OnnxExport, PrunedZerosArePositive) {
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 2}).Output("z");
  builder.Floats("w", {2, 2}, {-0.0F, 1, 2, 0});
  builder.Floats("c", {2}, {-0.0F, 1});
  builder.Node("MatMul", {"x", "w"}, {"y"});
  builder.Node("Add", {"y", "c"}, {"z"});
  Graph pruned = builder.Load();
  EXPECT_FALSE(std::signbit(pruned.value(pruned.FindValue("w")).data[0]));
  pruned.mutable_value(pruned.FindValue("w")).data[0] = -0.0F;  // −1 · mask
  SaveOnnx(pruned, path_);
  const Graph graph = LoadOnnx(path_);
  const Tensor& weight = graph.value(graph.FindValue("w")).data;
  EXPECT_EQ(CountZeros(weight), 2);
  for (const float w : weight.values()) EXPECT_FALSE(std::signbit(w));
  EXPECT_TRUE(std::signbit(graph.value(graph.FindValue("c")).data[0]));  // no layer's weight
}

TEST_F(OnnxExport, MatMulWeightSharedWithAGemm) {
  Graph graph;
  graph.name = "net";
  const ValueId x = graph.AddActivation("x");
  const ValueId w = graph.AddParameter("w", Tensor({2, 2}, {1, 2, 3, 4}));
  const ValueId h = graph.AddActivation("h");
  const ValueId y = graph.AddActivation("y");
  Attributes transposed;
  transposed.Set("transB", int64_t{1});
  graph.AddNode({"a", OpType::kMatMul, {x, w}, {h}, transposed});
  graph.AddNode({"b", OpType::kGemm, {h, w}, {y}, transposed});
  graph.inputs = {{x, {-1, 2}}};
  graph.outputs = {{y, {-1, 2}}};
  SaveOnnx(graph, path_);
  const Graph loaded = LoadOnnx(path_);
  for (const int i : {0, 1}) {
    EXPECT_THAT(loaded.value(loaded.node(i).inputs[1]).data.values(), ElementsAre(1, 2, 3, 4));
  }
}

TEST_F(OnnxExport, LargeModelsKeepTheirWeightsBeside) {
  OnnxBuilder builder = OneNode("Conv", 13, {"w", "b"});
  builder.Floats("w", {32, 4, 3, 3});
  builder.Floats("b", {32});
  const Graph graph = builder.Load();
  const LogCapture log;
  SaveOnnx(graph, path_, {.external_above = 1000});
  EXPECT_TRUE(log.Contains("weights written to " + path_ + ".data"));
  EXPECT_EQ(std::filesystem::file_size(path_ + ".data"), 32U * 4 * 9 * 4);
  EXPECT_LT(std::filesystem::file_size(path_), 1500U);
  EXPECT_EQ(Difference(graph, LoadOnnx(path_)), "");
}

TEST_F(OnnxExport, SaysWhatOnnxCannotExpress) {
  Attributes strange;
  strange.Set("colour", int64_t{1});
  EXPECT_THAT(ErrorOf([&] { SaveOnnx(OneNodeGraph(OpType::kRelu, strange), path_); }),
              HasSubstr("node \"node\" (Relu): attribute \"colour\" cannot be expressed in ONNX "
                        "opset 13"));
  Attributes sizes;
  sizes.Set("sizes", std::vector<int64_t>{-1, 4, 7, 7});
  EXPECT_THAT(ErrorOf([&] { SaveOnnx(OneNodeGraph(OpType::kResize, sizes), path_); }),
              HasSubstr("fixed size with a free batch size"));
  Graph unsorted = OneNodeGraph(OpType::kRelu, {});
  const ValueId z = unsorted.AddActivation("z");
  unsorted.AddNode({"late", OpType::kRelu, {0}, {z}, {}});
  unsorted.mutable_nodes()[0].inputs[0] = z;
  EXPECT_THAT(ErrorOf([&] { SaveOnnx(unsorted, path_); }), HasSubstr("sort the graph first"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(OnnxExport, AFullDiskIsAnError) {
  OnnxBuilder builder = OneNode("Conv", 13, {"w"});
  builder.Floats("w", {64, 4, 3, 3});  // more than protobuf keeps back
  const Graph graph = builder.Load();
  std::string message;
  {
    const FileSizeLimit limit(5000);
    message = ErrorOf([&] { SaveOnnx(graph, path_); });
  }
  EXPECT_THAT(message, HasSubstr(path_ + ": cannot write: "));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(OnnxExport, FailedWritesLeaveNothing) {
  const std::string missing = (folder_ / "no" / "net.onnx").string();
  EXPECT_THAT(ErrorOf([&] { SaveOnnx(OneNodeGraph(OpType::kRelu, {}), missing); }),
              HasSubstr(missing));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(OnnxExport, RealModelsRoundTrip) {
  const char* data = std::getenv("SPARSIFY_SHARED_DATA");
  if (data == nullptr) GTEST_SKIP() << "SPARSIFY_SHARED_DATA names no folder with models/*.onnx";
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(data) + "/models")) {
    if (entry.path().extension() != ".onnx") continue;
    EXPECT_EQ(RoundTripDifference(LoadOnnx(entry.path().string())), "") << entry.path();
    ++count;
  }
  if (count == 0) GTEST_SKIP() << "no .onnx file in " << data << "/models";
}

}  // namespace
}  // namespace sparsify

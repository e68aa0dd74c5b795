#include "sparsity/io/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "sparsity/base/log.h"
#include "sparsity/io/onnx.h"
#include "tests/io/sample_checkpoint.h"
#include "tests/io/temporary_directory.h"

namespace sparsify {
namespace {

using testing::HasSubstr;

// x → Conv(weight, masked) → Relu → y
Checkpoint ConvNet() {
  Checkpoint c;
  Graph& g = c.graph;
  g.name = "net";
  const ValueId x = g.AddActivation("x");
  const ValueId w = g.AddParameter("conv.weight", SparseTensor({4, 3, 3, 3}, 0.5, 11));
  const ValueId conv = g.AddActivation("conv");
  const ValueId y = g.AddActivation("y");
  Node node{"conv", OpType::kConv, {x, w}, {conv}, {}};
  node.attributes.Set("kernel_shape", std::vector<int64_t>{3, 3});
  node.attributes.Set("strides", std::vector<int64_t>{1, 1});
  node.attributes.Set("dilations", std::vector<int64_t>{1, 1});
  node.attributes.Set("pads", std::vector<int64_t>{1, 1, 1, 1});
  node.attributes.Set("group", int64_t{1});
  g.AddNode(node);
  g.AddNode({"relu", OpType::kRelu, {conv}, {y}, {}});
  g.inputs = {{x, {-1, 3, 8, 8}}};
  g.outputs = {{y, {-1, 4, 8, 8}}};
  c.masks.emplace("conv.weight", MaskOfNonZeros(g.value(w).data));
  return c;
}

void ExpectSameWeights(const Graph& a, const Graph& b) {
  ASSERT_EQ(CountParameters(a), CountParameters(b));
  for (const Value& value : a.values()) {
    if (!value.is_parameter) continue;
    const ValueId other = b.FindValue(value.name);
    ASSERT_NE(other, kNoValue) << value.name;
    ASSERT_EQ(value.data.shape(), b.value(other).data.shape()) << value.name;
    EXPECT_EQ(std::memcmp(value.data.data(), b.value(other).data.data(),
                          value.data.values().size_bytes()),
              0)
        << value.name;
  }
}

class ModelFileTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.Path(name); }

  TemporaryDirectory directory_;
};

TEST_F(ModelFileTest, ConvertsBothWays) {
  const Checkpoint saved = ConvNet();
  for (const char* name : {"net.h5", "net.hdf5", "NET.H5"}) {
    SaveModelFile(saved, Path(name));
    const Checkpoint loaded = LoadModelFile(Path(name));
    ExpectSameWeights(saved.graph, loaded.graph);
    EXPECT_EQ(loaded.masks, saved.masks);
  }
  LogCapture log;
  SaveModelFile(LoadModelFile(Path("net.h5")), Path("net.onnx"));
  EXPECT_TRUE(log.Contains(Path("net.onnx") + ": ONNX keeps the network and its zeros"));
  const Checkpoint imported = LoadModelFile(Path("net.onnx"));
  ExpectSameWeights(saved.graph, imported.graph);
  EXPECT_TRUE(imported.masks.empty());
  ASSERT_EQ(imported.graph.nodes().size(), 2U);
  EXPECT_EQ(imported.graph.nodes()[0].attributes.Ints("pads", {}),
            (std::vector<int64_t>{1, 1, 1, 1}));
}

TEST_F(ModelFileTest, ContentsDecideBeforeTheExtension) {
  SaveModelFile(ConvNet(), Path("net.h5"));
  std::filesystem::rename(Path("net.h5"), Path("net.onnx"));
  EXPECT_EQ(LoadModelFile(Path("net.onnx")).masks.size(), 1U);
  std::filesystem::rename(Path("net.onnx"), Path("net"));
  EXPECT_EQ(LoadModelFile(Path("net")).masks.size(), 1U);
}

TEST_F(ModelFileTest, UnknownFilesAreNamed) {
  const std::string known = ".h5 (sparsify checkpoint), .hdf5 (sparsify checkpoint), .onnx (ONNX)";
  WriteBytes(Path("net.txt"), std::vector<char>(100, 'x'));
  EXPECT_EQ(MessageOf([&] { LoadModelFile(Path("net.txt")); }),
            Path("net.txt") + ": is no model file this program knows; known: " + known);
  WriteBytes(Path("empty.onnx"), {});
  EXPECT_EQ(MessageOf([&] { LoadModelFile(Path("empty.onnx")); }),
            Path("empty.onnx") + ": is empty, expected a model");
  WriteBytes(Path("bad.h5"), std::vector<char>(100, 'x'));
  EXPECT_THAT(MessageOf([&] { LoadModelFile(Path("bad.h5")); }),
              HasSubstr("is not a sparsify checkpoint"));
  EXPECT_THROW(LoadModelFile(Path("missing.onnx")), Error);
  EXPECT_EQ(MessageOf([&] { SaveModelFile(ConvNet(), Path("net.pt")); }),
            Path("net.pt") + ": unknown extension \".pt\" for a model; known: " + known);
  EXPECT_EQ(MessageOf([&] { SaveModelFile(ConvNet(), Path("net")); }),
            Path("net") + ": unknown extension \"\" for a model; known: " + known);
}

// Real networks survive ONNX → checkpoint bit for bit.
TEST_F(ModelFileTest, RealModelsRoundTrip) {
  const char* shared = std::getenv("SPARSIFY_SHARED_DATA");
  const std::filesystem::path models = std::filesystem::path(shared ? shared : "") / "models";
  if (shared == nullptr || !std::filesystem::is_directory(models)) {
    GTEST_SKIP() << "set SPARSIFY_SHARED_DATA to a folder that holds models/*.onnx";
  }
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(models)) {
    if (entry.path().extension() != ".onnx") continue;
    const Checkpoint imported = LoadModelFile(entry.path().string());
    SaveModelFile(imported, Path("net.h5"));
    const Checkpoint loaded = LoadModelFile(Path("net.h5"));
    ExpectSameWeights(imported.graph, loaded.graph);
    ASSERT_EQ(imported.graph.nodes().size(), loaded.graph.nodes().size()) << entry.path();
    for (size_t i = 0; i < loaded.graph.nodes().size(); ++i) {
      EXPECT_EQ(imported.graph.nodes()[i].attributes, loaded.graph.nodes()[i].attributes);
      EXPECT_EQ(imported.graph.nodes()[i].inputs, loaded.graph.nodes()[i].inputs);
    }
    ++count;
  }
  EXPECT_GT(count, 0) << models;
}

}  // namespace
}  // namespace sparsify

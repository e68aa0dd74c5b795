// The blocks of the shared networks, as their architectures define them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconstruction/unit.h"
#include "sparsity/graph/fold_batch_norm.h"
#include "sparsity/io/onnx.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/support/oracle.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using Strings = std::vector<std::string>;

std::vector<Strings> Blocks(const Graph& graph) {
  const auto layers = FindLayers(graph, InferShapes(graph, 1));
  std::vector<Strings> blocks;
  for (const Unit& unit : FindUnits(graph, layers, UnitPattern::kBlock)) {
    blocks.emplace_back();
    for (const int layer : unit.layers) {
      blocks.back().push_back(layers[static_cast<size_t>(layer)].name);
    }
    EXPECT_EQ(unit.inputs.size(), 1U) << unit.name;
    EXPECT_EQ(unit.outputs.size(), 1U) << unit.name;
  }
  return blocks;
}

// As exported and with batch normalisation folded the blocks must be the same.
class ModelBlocks : public ::testing::Test {
 protected:
  // Empty when the model is not there.
  static std::vector<Strings> Of(const std::string& model) {
    for (const auto& path : testing::SharedModels()) {
      if (path.stem() != model) continue;
      const Graph graph = LoadOnnx(path.string());
      const auto blocks = Blocks(graph);
      EXPECT_EQ(Blocks(FoldBatchNorms(graph)), blocks) << model;
      return blocks;
    }
    return {};
  }
};

#define SPARSIFY_BLOCKS_OR_SKIP(blocks, model) \
  const auto blocks = Of(model);               \
  if (blocks.empty()) GTEST_SKIP() << "SPARSIFY_SHARED_DATA names no folder with models/" model

TEST_F(ModelBlocks, ResNet18) {
  SPARSIFY_BLOCKS_OR_SKIP(blocks, "imagenette_resnet18");
  ASSERT_EQ(blocks.size(), 10U);
  EXPECT_THAT(blocks[0], ElementsAre("conv1"));
  EXPECT_THAT(blocks[1], ElementsAre("layer1.0.conv1", "layer1.0.conv2"));
  EXPECT_THAT(blocks[3], ElementsAre("layer2.0.conv1", "layer2.0.conv2", "layer2.0.downsample.0"));
  EXPECT_THAT(blocks[8], ElementsAre("layer4.1.conv1", "layer4.1.conv2"));
  EXPECT_THAT(blocks[9], ElementsAre("fc"));
}

// Every inverted residual is one unit; the first, which does not expand, has the stem with it.
void ExpectInvertedResiduals(const std::vector<Strings>& blocks, size_t count) {
  ASSERT_EQ(blocks.size(), count + 1);
  EXPECT_EQ(blocks[0].front(), "features.0.0");
  for (size_t i = 0; i < count; ++i) {
    const std::string prefix = fmt::format("features.{}.", i + 1);
    for (const std::string& layer : blocks[i]) {
      EXPECT_TRUE(layer.starts_with(prefix) || layer == "features.0.0") << layer;
    }
  }
  EXPECT_EQ(blocks.back().front(), fmt::format("features.{}.0", count + 1));
}

TEST_F(ModelBlocks, MobileNetV2) {
  SPARSIFY_BLOCKS_OR_SKIP(blocks, "imagenette_mobilenetv2_1.0");
  ExpectInvertedResiduals(blocks, 17);
}

TEST_F(ModelBlocks, MobileNetV3WithSqueezeAndExcite) {
  SPARSIFY_BLOCKS_OR_SKIP(blocks, "imagenette_mobilenetv3_s1.0");
  ExpectInvertedResiduals(blocks, 11);
  EXPECT_THAT(blocks[3],
              ElementsAre("features.4.block.0.0", "features.4.block.1.0", "features.4.block.2.fc1",
                          "features.4.block.2.fc2", "features.4.block.3.0"));
}

// One unit a block "trunk_output.blockI.blockI-J", between the stem and fc.
void ExpectRegNetBlocks(const std::vector<Strings>& blocks, size_t count, size_t layers) {
  ASSERT_EQ(blocks.size(), count + 2);
  EXPECT_THAT(blocks.front(), ElementsAre("stem.0"));
  EXPECT_THAT(blocks.back(), ElementsAre("fc"));
  for (size_t i = 1; i + 1 < blocks.size(); ++i) {
    const std::string& first = blocks[i].front();
    const std::string prefix = first.substr(0, first.find('.', first.find('-')) + 1);
    const bool projects = first.ends_with("proj.0");
    EXPECT_EQ(blocks[i].size(), layers + (projects ? 1 : 0)) << prefix;
    for (const std::string& layer : blocks[i]) EXPECT_TRUE(layer.starts_with(prefix)) << layer;
  }
}

TEST_F(ModelBlocks, RegNetX) {
  SPARSIFY_BLOCKS_OR_SKIP(blocks, "imagenette_regnetx600");
  ExpectRegNetBlocks(blocks, 1 + 3 + 5 + 7, 3);
}

TEST_F(ModelBlocks, RegNetYWithSqueezeAndExcite) {
  SPARSIFY_BLOCKS_OR_SKIP(blocks, "imagenette_regnety200");
  ExpectRegNetBlocks(blocks, 1 + 1 + 4 + 7, 5);
}

TEST_F(ModelBlocks, SqueezeNet) {
  SPARSIFY_BLOCKS_OR_SKIP(blocks, "imagenet_squeezenet1.1");
  ASSERT_EQ(blocks.size(), 10U);
  EXPECT_THAT(blocks.front(), ElementsAre("conv1"));
  for (size_t i = 1; i <= 8; ++i) {
    const std::string fire = fmt::format("fire{}__", i + 1);
    EXPECT_THAT(blocks[i],
                ElementsAre(fire + "squeeze1x1", fire + "expand1x1", fire + "expand3x3"));
  }
  EXPECT_THAT(blocks.back(), ElementsAre("conv10"));
}

TEST_F(ModelBlocks, MobileNetV1IsAChain) {
  SPARSIFY_BLOCKS_OR_SKIP(blocks, "imagenet_mobilenetv1_0.75");
  ASSERT_EQ(blocks.size(), 10U);
  for (size_t i = 0; i < 9; ++i) EXPECT_EQ(blocks[i].size(), 3U);
}

}  // namespace
}  // namespace sparsify

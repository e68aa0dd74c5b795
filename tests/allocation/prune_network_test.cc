#include "sparsity/allocation/prune_network.h"

#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/mask_options.h"
#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;
using testing::MessageOf;
using testing::SmallNetwork;
using testing::TestNetwork;

std::unique_ptr<MaskGenerator> Generator(const std::string& type = "NormalMaskGenerator") {
  MaskGeneratorOptions options;
  options.type = type;
  return MakeMaskGenerator(options);
}

std::vector<LayerTarget> Targets(const TestNetwork& net, double sparsity) {
  return Allocate(net.graph, net.layers, net.NoneSkipped(), sparsity, {});
}

TEST(PruneNetwork, RecordsRequestedAndAchieved) {
  TestNetwork net = SmallNetwork();
  auto targets = Targets(net, 0.5);
  targets[0] = {0, "because"};
  targets[5].sparsity = 0;  // selected, but nothing is asked of it
  const PrunedNetwork pruned = PruneNetwork(net.graph, net.layers, targets, *Generator(), 0);
  EXPECT_EQ(pruned.masks.size(), 5U);
  EXPECT_EQ(pruned.masks.count("conv1.weight"), 0U);
  EXPECT_EQ(pruned.masks.at("fc.weight").CountPruned(), 0);
  EXPECT_EQ(pruned.layers[0].name, "conv1");
  EXPECT_EQ(pruned.layers[0].skipped, "because");
  EXPECT_EQ(pruned.layers[1].achieved, 0.5);
  EXPECT_EQ(pruned.layers[1].achievable, 0.5);
  // Layers without conv1 (432): 16400 weights of which fc's 640 stay.
  EXPECT_DOUBLE_EQ(pruned.achieved.selected, 0.5 * (16400 - 640) / 16400);
  EXPECT_DOUBLE_EQ(pruned.achieved.all, 0.5 * (16400 - 640) / 16832);
  EXPECT_DOUBLE_EQ(pruned.requested.selected, pruned.achieved.selected);
}

TEST(PruneNetwork, ReportsWhatAPatternReachesInstead) {
  const TestNetwork net = SmallNetwork();
  const LogCapture log;
  const auto pruned =
      PruneNetwork(net.graph, net.layers, Targets(net, 0.8), *Generator("NMMaskGenerator"), 0);
  EXPECT_TRUE(log.Contains("1 layers stay dense, as the pattern takes nothing of their shapes: " +
                           net.layers[2].name));
  EXPECT_DOUBLE_EQ(pruned.layers[3].requested, 0.8);
  EXPECT_DOUBLE_EQ(pruned.layers[3].achievable, 0.5);
  EXPECT_DOUBLE_EQ(pruned.layers[3].achieved, 0.5);
  EXPECT_DOUBLE_EQ(pruned.layers[2].achieved, 0);        // depthwise: one input channel
  EXPECT_DOUBLE_EQ(pruned.layers[0].achieved, 1.0 / 3);  // 3 input channels keep 2
  EXPECT_LT(pruned.achieved.all, 0.51);
  EXPECT_DOUBLE_EQ(pruned.requested.all, 0.8);
}

TEST(PruneNetwork, BakedZerosEqualTheMasksEvenWhereWeightsWereZero) {
  for (const char* type : {"NormalMaskGenerator", "RandomMaskGenerator", "NMMaskGenerator"}) {
    TestNetwork net = SmallNetwork();
    for (int64_t i = 0; i < 4096; ++i) {
      if (i % 4 != 0) net.weight(4)[i] = i % 2 == 0 ? 0.0F : -0.0F;
    }
    LogCapture log;
    PrunedNetwork pruned =
        PruneNetwork(net.graph, net.layers, Targets(net, 0.2), *Generator(type), 1);
    BakeMasks(net.graph, pruned.masks);
    for (size_t i = 0; i < net.layers.size(); ++i) {
      const Mask& mask = pruned.masks.at(net.layers[i].name + ".weight");
      EXPECT_EQ(CountZeros(net.weight(i)), mask.CountPruned()) << type;
      EXPECT_EQ(pruned.layers[i].achieved, mask.Sparsity());
    }
    EXPECT_GT(pruned.layers[4].already_zero, 0) << type;
    EXPECT_TRUE(log.Contains(
        " weights in 1 layers that the masks keep were zero before and count as pruned"));
  }
}

TEST(PruneNetwork, BakingLeavesKeptWeightsToTheBit) {
  TestNetwork net = SmallNetwork();
  const TestNetwork before = SmallNetwork();
  PrunedNetwork pruned = PruneNetwork(net.graph, net.layers, Targets(net, 0.7), *Generator(), 0);
  const auto masks = pruned.masks;
  BakeMasks(net.graph, pruned.masks);
  EXPECT_EQ(masks, pruned.masks);
  for (size_t i = 0; i < net.layers.size(); ++i) {
    const Tensor& old = before.graph.value(before.layers[i].weight).data;
    const Mask& mask = masks.at(net.layers[i].name + ".weight");
    for (int64_t at = 0; at < old.size(); ++at) {
      ASSERT_EQ(net.weight(i)[at], mask[at] ? old[at] : 0);
    }
  }
}

TEST(PruneNetwork, IsTheSameOnAnyNumberOfThreads) {
  const TestNetwork net = SmallNetwork();
  for (const char* type : {"NormalMaskGenerator", "RandomMaskGenerator", "FPGMMaskGenerator",
                           "NuclearMaskGenerator", "BlockMaskGenerator"}) {
    SetThreads(1);
    const auto one = PruneNetwork(net.graph, net.layers, Targets(net, 0.6), *Generator(type), 9);
    SetThreads(4);
    const auto four = PruneNetwork(net.graph, net.layers, Targets(net, 0.6), *Generator(type), 9);
    SetThreads(0);
    EXPECT_EQ(one.masks, four.masks) << type;
  }
}

TEST(PruneNetwork, EachLayerHasItsOwnRandomStream) {
  TestNetwork net;
  net.Add("a", {16, 16});
  net.Add("b", {16, 16});
  const auto pruned =
      PruneNetwork(net.graph, net.layers, Targets(net, 0.5), *Generator("RandomMaskGenerator"), 4);
  EXPECT_NE(pruned.masks.at("a.weight"), pruned.masks.at("b.weight"));
}

TEST(PruneNetwork, WarnsOfALayerThatLosesEverything) {
  TestNetwork net;
  net.Add("tiny", {1, 1});
  net.Add("b", {16, 16});
  LogCapture log;
  PruneNetwork(net.graph, net.layers, Targets(net, 0.5), *Generator(), 0);
  EXPECT_TRUE(log.Contains("warning: layer \"tiny\" loses every weight"));
  EXPECT_FALSE(log.Contains("layer \"b\""));
}

TEST(PruneNetwork, RefusesWhatDoesNotFit) {
  TestNetwork net = SmallNetwork();
  EXPECT_EQ(MessageOf([&] { PruneNetwork(net.graph, net.layers, {}, *Generator(), 0); }),
            "pruning: 0 targets for 6 layers");
  std::map<std::string, Mask> masks = {{"x", Mask({2})}};
  EXPECT_THAT(MessageOf([&] { BakeMasks(net.graph, masks); }),
              HasSubstr("net: there is a mask for \"x\", which is no parameter"));
  masks = {{"fc.weight", Mask({2})}};
  EXPECT_EQ(MessageOf([&] { BakeMasks(net.graph, masks); }),
            "net: the mask of \"fc.weight\" has shape [2], the weight [10,64]");
  net.weight(2)[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(
      MessageOf([&] { PruneNetwork(net.graph, net.layers, Targets(net, 0.5), *Generator(), 0); }),
      HasSubstr("block1.dw: weight of shape [16,1,3,3] holds nan at flat index 1"));
}

}  // namespace
}  // namespace sparsify

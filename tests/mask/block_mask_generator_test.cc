#include "sparsity/mask/block_mask_generator.h"

#include <map>

#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

using testing::CountOfPercent;
using testing::ExpectPruned;
using testing::NaiveSmallest;
using testing::RandomShape;

// A block by its name (group, row, column, tap), in the documented tie order.
using Key = std::array<int64_t, 4>;

std::vector<bool> NaiveBlocks(const Tensor& weight, int64_t bo, int64_t bi, int64_t groups,
                              int64_t percent) {
  const int64_t inputs = weight.shape()[1];
  const int64_t taps = weight.size() / (weight.shape()[0] * inputs);
  const int64_t per_group = weight.shape()[0] / groups;
  const auto key = [&](int64_t at) {
    const int64_t o = at / (inputs * taps);
    return Key{o / per_group, o % per_group / bo, at / taps % inputs / bi, at % taps};
  };
  std::map<Key, double> energy;
  for (int64_t at = 0; at < weight.size(); ++at) {
    energy[key(at)] += static_cast<double>(weight[at]) * weight[at];
  }
  std::vector<double> scores;
  std::map<Key, size_t> number;
  for (const auto& [block, score] : energy) {
    number[block] = scores.size();
    scores.push_back(score);
  }
  const auto gone =
      NaiveSmallest(scores, CountOfPercent(static_cast<int64_t>(scores.size()), percent));
  std::vector<bool> pruned;
  for (int64_t at = 0; at < weight.size(); ++at) pruned.push_back(gone[number[key(at)]]);
  return pruned;
}

TEST(BlockMaskGenerator, EqualsTheDefinitionWithRaggedEdges) {
  Random random(41);
  const std::pair<int64_t, int64_t> sizes[] = {{1, 4}, {4, 1}, {1, 16}, {16, 1}, {2, 3}, {8, 8}};
  for (const auto& [bo, bi] : sizes) {
    const BlockMaskGenerator generator({.block = {bo, bi}});
    for (int round = 0; round < 25; ++round) {
      const Tensor weight = testing::TiedWeight(RandomShape(random), random.NextBits());
      const auto percent = static_cast<int64_t>(random.Below(101));
      const MaskContext context{.layer_name = "layer"};
      ExpectPruned(generator.Generate(weight, static_cast<double>(percent) / 100, context),
                   NaiveBlocks(weight, bo, bi, 1, percent));
    }
  }
}

TEST(BlockMaskGenerator, BlocksStayWithinAGroup) {
  const Tensor weight = testing::RandomWeight({12, 6, 3, 3}, 42);
  const MaskContext context{.layer_name = "layer", .groups = 2};
  ExpectPruned(BlockMaskGenerator({.block = {4, 4}}).Generate(weight, 0.5, context),
               NaiveBlocks(weight, 4, 4, 2, 50));
}

TEST(BlockMaskGenerator, ShareOfWeightsIsShareOfBlocksWhereTheyDivideTheLayer) {
  const MaskContext context{.layer_name = "layer"};
  const BlockMaskGenerator generator({.block = {1, 4}});
  const Mask mask = generator.Generate(testing::RandomWeight({16, 32, 3, 3}, 1), 0.75, context);
  EXPECT_EQ(mask.Sparsity(), 0.75);
  EXPECT_EQ(generator.Achievable({16, 32, 3, 3}, 0.75, context), 0.75);
}

}  // namespace
}  // namespace sparsify

#include "sparsity/mask/pattern.h"

#include "sparsity/mask/mask_options.h"
#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

// A few weights are zero before, as in trained networks.
std::string PatternAfter(const MaskGeneratorOptions& options, double sparsity,
                         const Shape& shape = {32, 64, 3, 3}) {
  Tensor weight = testing::RandomWeight(shape, 3);
  for (int64_t i = 50; i < weight.size(); i += 397) weight[i] = 0;
  ApplyMask(MakeMaskGenerator(options)->Generate(weight, sparsity, {.layer_name = "layer"}),
            weight);
  return DescribePattern(weight);
}

TEST(DescribePattern, DenseAndEmpty) {
  Tensor weight = testing::RandomWeight({8, 8, 3, 3}, 1);
  EXPECT_EQ(DescribePattern(weight), "dense");
  weight[3] = weight[77] = -0.0F;
  EXPECT_EQ(DescribePattern(weight), "dense (2 zeros)");
  EXPECT_EQ(DescribePattern(Tensor(Shape{4, 4})), "all zero");
  EXPECT_EQ(DescribePattern(Tensor({4}, {1, 0, 0, 2})), "unstructured");
}

TEST(DescribePattern, NamesWhatTheGeneratorsMake) {
  MaskGeneratorOptions options;
  EXPECT_EQ(PatternAfter(options, 0.5), "unstructured");
  EXPECT_EQ(PatternAfter(options, 0.95), "unstructured");
  EXPECT_EQ(PatternAfter(options, 0.995), "unstructured");
  options.normal.structured = true;
  EXPECT_EQ(PatternAfter(options, 0.25), "filters (8 of 32)");
  options.type = "RandomMaskGenerator";
  EXPECT_EQ(PatternAfter(options, 0.5, {64, 64}), "unstructured");
  options.type = "NMMaskGenerator";
  for (const auto& [n, m] :
       std::vector<std::pair<int64_t, int64_t>>{{2, 4}, {1, 4}, {2, 8}, {4, 8}, {1, 2}, {8, 16}}) {
    options.nm = {.n = n, .m = m};
    EXPECT_EQ(PatternAfter(options, 0.5), std::to_string(n) + ":" + std::to_string(m));
  }
  options.nm = {.n = 2, .m = 4};
  EXPECT_EQ(PatternAfter(options, 0.5, {40, 30}), "2:4");  // a ragged last group
  options.type = "BlockMaskGenerator";
  for (const auto& [bo, bi] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 4}, {4, 1}, {1, 16}, {16, 1}, {4, 4}, {1, 2}}) {
    options.block.block = {bo, bi};
    EXPECT_EQ(PatternAfter(options, 0.7), "block " + std::to_string(bo) + "x" + std::to_string(bi));
  }
}

TEST(DescribePattern, WholeInputChannelsAndKernels) {
  Tensor weight = testing::RandomWeight({16, 8, 3, 3}, 5);
  for (int64_t at = 0; at < weight.size(); ++at) {
    if (at / 9 % 8 == 2 || at / 9 % 8 == 5) weight[at] = 0;
  }
  EXPECT_EQ(DescribePattern(weight), "input channels (2 of 8)");
  Random random(6);
  weight = testing::RandomWeight({16, 8, 3, 3}, 5);
  for (int64_t kernel = 0; kernel < 128; ++kernel) {
    if (random.Below(2) == 0) continue;
    for (int64_t k = 0; k < 9; ++k) weight[kernel * 9 + k] = 0;
  }
  EXPECT_EQ(DescribePattern(weight), "kernels");
}

TEST(DescribePattern, FewGroupsAreNoPattern) {
  // Two groups that are 2:4 by chance.
  EXPECT_EQ(DescribePattern(Tensor({2, 4}, {1, 0, 0, 2, 0, 1, 2, 0})), "unstructured");
}

}  // namespace
}  // namespace sparsify

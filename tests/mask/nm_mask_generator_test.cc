#include "sparsity/mask/nm_mask_generator.h"

#include <cmath>

#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

using testing::ExpectPruned;
using testing::RandomShape;

constexpr MaskContext kContext{.layer_name = "layer"};

// By definition: rank every weight among its group by counting the ones that go before it.
std::vector<bool> NaivePattern(const Tensor& weight, int64_t n, int64_t m) {
  const Shape& shape = weight.shape();
  const int64_t inputs = shape[1];
  const int64_t taps = weight.size() / (shape[0] * inputs);
  std::vector<bool> pruned(static_cast<size_t>(weight.size()));
  for (int64_t at = 0; at < weight.size(); ++at) {
    const int64_t i = at / taps % inputs;
    const int64_t first = i / m * m;
    const int64_t size = std::min(m, inputs - first);
    int64_t before = 0;  // how many of the group go before this one
    for (int64_t j = first; j < first + size; ++j) {
      const double other = std::abs(weight[at + (j - i) * taps]);
      const double own = std::abs(weight[at]);
      before += other < own || (other == own && j < i) ? 1 : 0;
    }
    pruned[static_cast<size_t>(at)] = before < size - n;
  }
  return pruned;
}

TEST(NMMaskGenerator, EqualsTheDefinitionForEveryPatternAndShape) {
  Random random(31);
  const std::pair<int64_t, int64_t> patterns[] = {{2, 4}, {1, 4}, {2, 8}, {4, 8},
                                                  {1, 2}, {3, 5}, {4, 4}, {8, 16}};
  for (const auto& [n, m] : patterns) {
    const NMMaskGenerator generator({.n = n, .m = m});
    for (int round = 0; round < 25; ++round) {
      const Shape shape = RandomShape(random);
      const Tensor weight = round % 2 == 0 ? testing::TiedWeight(shape, random.NextBits())
                                           : testing::RandomWeight(shape, random.NextBits());
      ExpectPruned(generator.Generate(weight, 0.5, kContext), NaivePattern(weight, n, m));
    }
  }
}

TEST(NMMaskGenerator, PadsTheLastGroupVirtually) {
  // 6 input channels at 2:4: the last group of 2 keeps both; at 1:4 it keeps the larger.
  const Tensor weight({1, 6}, {1, 2, 3, 4, 6, 5});
  EXPECT_EQ(NMMaskGenerator({.n = 2, .m = 4}).Generate(weight, 0.5, kContext).bytes(),
            std::vector<uint8_t>{0b111100});
  EXPECT_EQ(NMMaskGenerator({.n = 1, .m = 4}).Generate(weight, 0.5, kContext).bytes(),
            std::vector<uint8_t>{0b011000});
  EXPECT_DOUBLE_EQ(NMMaskGenerator({.n = 1, .m = 4}).Achievable({1, 6}, 0.5, kContext), 4.0 / 6);
}

TEST(NMMaskGenerator, GroupsRunAlongInputChannelsNotTaps) {
  // O=1, I=4, 1×2 taps; per tap the channels are (8,1,7,2) and (1,8,2,7).
  const Tensor weight({1, 4, 1, 2}, {8, 1, 1, 8, 7, 2, 2, 7});
  EXPECT_EQ(NMMaskGenerator({}).Generate(weight, 0.5, kContext).bytes(),
            std::vector<uint8_t>{0b10011001});
}

TEST(NMMaskGenerator, ThePatternDecidesNotTheSparsity) {
  const Tensor weight = testing::RandomWeight({8, 16, 3, 3}, 2);
  const NMMaskGenerator generator({});
  EXPECT_EQ(generator.Generate(weight, 0.9, kContext), generator.Generate(weight, 0, kContext));
  EXPECT_EQ(generator.Generate(weight, 0.9, kContext).Sparsity(), 0.5);
  EXPECT_EQ(generator.Achievable({8, 16, 3, 3}, 0.9, kContext), 0.5);
}

}  // namespace
}  // namespace sparsify

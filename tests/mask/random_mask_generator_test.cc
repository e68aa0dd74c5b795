#include "sparsity/mask/random_mask_generator.h"

#include <cmath>

#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

TEST(RandomMaskGenerator, EveryWeightIsEquallyLikely) {
  const RandomMaskGenerator generator;
  const Tensor weight(Shape{4, 5});
  constexpr int kRounds = 20000;
  std::vector<int> pruned(20, 0);
  for (uint64_t seed = 0; seed < kRounds; ++seed) {
    const Mask mask = generator.Generate(weight, 0.3, {.layer_name = "layer", .seed = seed});
    for (int64_t i = 0; i < 20; ++i) pruned[static_cast<size_t>(i)] += mask[i] ? 0 : 1;
  }
  const double deviation = std::sqrt(kRounds * 0.3 * 0.7);
  for (const int count : pruned) EXPECT_NEAR(count, 0.3 * kRounds, 5 * deviation);
}

TEST(RandomMaskGenerator, DependsOnSeedAndLayerOnly) {
  const RandomMaskGenerator generator;
  const auto mask = [&](uint64_t seed, uint64_t layer, uint64_t values) {
    return generator.Generate(testing::RandomWeight({8, 8}, values), 0.5,
                              {.layer_name = "layer", .seed = seed, .layer_index = layer});
  };
  EXPECT_EQ(mask(1, 2, 3), mask(1, 2, 4));
  EXPECT_NE(mask(1, 2, 3), mask(2, 2, 3));
  EXPECT_NE(mask(1, 2, 3), mask(1, 3, 3));
}

}  // namespace
}  // namespace sparsify

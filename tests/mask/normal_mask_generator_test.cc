#include "sparsity/mask/normal_mask_generator.h"

#include <cmath>

#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

using testing::CountOfPercent;
using testing::ExpectPruned;
using testing::NaiveSmallest;
using testing::PerWeight;
using testing::RandomShape;

constexpr MaskContext kContext{.layer_name = "layer"};

TEST(NormalMaskGenerator, EqualsAFullSortWithTiesByIndex) {
  Random random(21);
  const NormalMaskGenerator generator({});
  for (int round = 0; round < 100; ++round) {
    const Shape shape = RandomShape(random);
    const Tensor weight = round % 2 == 0 ? testing::TiedWeight(shape, random.NextBits())
                                         : testing::RandomWeight(shape, random.NextBits());
    std::vector<double> magnitudes;
    for (const float w : weight.values()) magnitudes.push_back(std::abs(w));
    const auto percent = static_cast<int64_t>(random.Below(101));
    const Mask mask = generator.Generate(weight, static_cast<double>(percent) / 100, kContext);
    ExpectPruned(mask, NaiveSmallest(magnitudes, CountOfPercent(weight.size(), percent)));
  }
}

TEST(NormalMaskGenerator, OfEqualWeightsTheFirstGo) {
  Tensor weight({2, 4});
  weight.Fill(-1);
  const Mask mask = NormalMaskGenerator({}).Generate(weight, 0.5, kContext);
  EXPECT_EQ(mask.bytes(), std::vector<uint8_t>{0xF0});
}

TEST(NormalMaskGenerator, StructuredRanksFiltersByTheirNorm) {
  Random random(22);
  for (const bool squared : {false, true}) {
    const NormalMaskGenerator generator({.structured = true, .func = squared ? "p2" : "p1"});
    for (int round = 0; round < 50; ++round) {
      const Shape shape = RandomShape(random);
      const Tensor weight = testing::RandomWeight(shape, random.NextBits());
      const int64_t filter = weight.size() / shape[0];
      std::vector<double> norms;
      for (int64_t o = 0; o < shape[0]; ++o) {
        double sum = 0;
        for (int64_t i = 0; i < filter; ++i) {
          sum += std::pow(std::abs(static_cast<double>(weight[o * filter + i])), squared ? 2 : 1);
        }
        norms.push_back(squared ? std::sqrt(sum) : sum);
      }
      const auto pruned = NaiveSmallest(norms, CountOfPercent(shape[0], 40));
      ExpectPruned(generator.Generate(weight, 0.4, kContext), PerWeight(pruned, filter));
    }
  }
}

TEST(NormalMaskGenerator, TheTwoNormsDiffer) {
  // L1: 3 and 4; L2: 3 and sqrt(8) < 3.
  const Tensor weight({2, 2}, {3, 0, 2, 2});
  const auto keep_second = std::vector<uint8_t>{0x0C};
  const auto keep_first = std::vector<uint8_t>{0x03};
  EXPECT_EQ(NormalMaskGenerator({.structured = true, .func = "p1"})
                .Generate(weight, 0.5, kContext)
                .bytes(),
            keep_second);
  EXPECT_EQ(NormalMaskGenerator({.structured = true, .func = "p2"})
                .Generate(weight, 0.5, kContext)
                .bytes(),
            keep_first);
}

TEST(NormalMaskGenerator, RowNormalisedDoesNotSeeTheScaleOfAChannel) {
  const Tensor plain = testing::RandomWeight({6, 5, 3, 3}, 9);
  Tensor scaled = plain;
  for (int64_t i = 0; i < scaled.size(); ++i) {
    scaled[i] *= std::ldexp(1.0F, static_cast<int>(3 * (i / 45)) - 9);  // exact
  }
  const NormalMaskGenerator normalized({.row_normalized = true});
  EXPECT_EQ(normalized.Generate(plain, 0.6, kContext), normalized.Generate(scaled, 0.6, kContext));
  EXPECT_NE(NormalMaskGenerator({}).Generate(plain, 0.6, kContext),
            NormalMaskGenerator({}).Generate(scaled, 0.6, kContext));
}

TEST(NormalMaskGenerator, RowNormalisedPrunesAChannelOfZerosFirst) {
  const Tensor weight({3, 2}, {1, 2, 0, 0, 3, 4});
  const Mask mask = NormalMaskGenerator({.row_normalized = true}).Generate(weight, 0.3, kContext);
  EXPECT_EQ(mask.bytes(), std::vector<uint8_t>{0x33});
}

}  // namespace
}  // namespace sparsify

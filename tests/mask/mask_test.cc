#include "sparsity/mask/mask.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MessageOf;

TEST(Mask, StartsFullOrEmpty) {
  for (const int64_t size : {0, 1, 7, 8, 9, 64, 65}) {
    EXPECT_EQ(Mask({size}).CountKept(), size);
    EXPECT_EQ(Mask({size}, false).CountKept(), 0);
    EXPECT_EQ(Mask({size}, false).Sparsity(), size == 0 ? 0 : 1);
  }
  EXPECT_EQ(Mask().size(), 0);
  EXPECT_EQ(Mask().Sparsity(), 0);
}

TEST(Mask, PacksLeastSignificantBitFirst) {
  Mask mask({2, 5}, false);
  mask.Set(0, true);
  mask.Set(3, true);
  mask.Set(9, true);
  EXPECT_THAT(mask.bytes(), ElementsAre(0x09, 0x02));
  EXPECT_EQ(Mask::FromBytes({2, 5}, mask.bytes()), mask);
  mask.Set(3, false);
  EXPECT_THAT(mask.bytes(), ElementsAre(0x01, 0x02));
  EXPECT_EQ(mask.CountPruned(), 8);
  EXPECT_DOUBLE_EQ(mask.Sparsity(), 0.8);
}

TEST(Mask, RefusesBytesThatDoNotFit) {
  EXPECT_EQ(MessageOf([] { Mask::FromBytes({9}, {0xFF}); }),
            "mask: 1 bytes given, shape [9] needs 2");
  EXPECT_EQ(MessageOf([] {
              Mask::FromBytes({9}, {0xFF, 0x03});
            }),
            "mask: unused bits after the last of 9 elements are set");
  EXPECT_EQ(Mask::FromBytes({8}, {0xFF}), Mask({8}));
}

TEST(Mask, AppliesAsPositiveZeroAndKeepsTheRestToTheBit) {
  Tensor weight({4}, {-1.5F, -2.0F, 3.0F, -0.0F});
  Mask mask({4});
  mask.Set(1, false);
  ApplyMask(mask, weight);
  EXPECT_THAT(weight.values(), ElementsAre(-1.5F, 0.0F, 3.0F, -0.0F));
  EXPECT_FALSE(std::signbit(weight[1]));
  EXPECT_TRUE(std::signbit(weight[3]));
  EXPECT_THAT(MessageOf([&] {
                ApplyMask(Mask({2, 2}), weight);
              }),
              HasSubstr("shape [2,2] does not fit the weight's [4]"));
}

TEST(Mask, OfNonZerosTreatsBothZerosAlike) {
  const Mask mask = MaskOfNonZeros(Tensor({4}, {0.0F, -0.0F, 1e-45F, 2.0F}));
  EXPECT_THAT(mask.bytes(), ElementsAre(0x0C));
}

}  // namespace
}  // namespace sparsify

#include "sparsity/mask/fpgm_mask_generator.h"

#include <cmath>

#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

using testing::ExpectPruned;

constexpr MaskContext kContext{.layer_name = "layer"};

double NaiveDistance(const float* a, const float* b, int64_t n, const std::string& kind) {
  double difference = 0;
  double dot = 0;
  double aa = 0;
  double bb = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double d = static_cast<double>(a[i]) - b[i];
    difference += kind == "l1" ? std::abs(d) : d * d;
    dot += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  if (kind == "cos") return aa * bb == 0 ? 0 : 1 - dot / std::sqrt(aa * bb);
  return kind == "l1" ? difference : std::sqrt(difference);
}

TEST(FpgmMaskGenerator, PrunesTheSmallestMeanDistance) {
  Random random(51);
  for (const std::string kind : {"l1", "l2", "cos"}) {
    const FpgmMaskGenerator generator({.distance = kind});
    for (int round = 0; round < 30; ++round) {
      const Shape shape = round == 0 ? Shape{300, 5, 3, 1} : testing::RandomShape(random);
      const Tensor weight = testing::RandomWeight(shape, random.NextBits());
      const int64_t filter = weight.size() / shape[0];
      std::vector<double> means;
      for (int64_t a = 0; a < shape[0]; ++a) {
        double sum = 0;
        for (int64_t b = 0; b < shape[0]; ++b) {
          sum += NaiveDistance(weight.data() + a * filter, weight.data() + b * filter,
                               a == b ? 0 : filter, kind);
        }
        means.push_back(sum / static_cast<double>(shape[0]));
      }
      const auto pruned = testing::NaiveSmallest(means, testing::CountOfPercent(shape[0], 30));
      // Two filters are always equally far from each other: leave that tie to the next test.
      if (shape[0] == 2 || filter == 1) continue;
      ExpectPruned(generator.Generate(weight, 0.3, kContext), testing::PerWeight(pruned, filter));
    }
  }
}

TEST(FpgmMaskGenerator, PrunesTheFilterInTheMiddleNotTheSmallest) {
  // On a line at 1, 5, 9: the middle one is nearest to both others.
  const Tensor weight({3, 1}, {1, 5, 9});
  for (const char* kind : {"l1", "l2"}) {
    const Mask mask = FpgmMaskGenerator({.distance = kind}).Generate(weight, 0.3, kContext);
    EXPECT_EQ(mask.bytes(), std::vector<uint8_t>{0b101});
  }
}

TEST(FpgmMaskGenerator, SeesTheDistanceOfNearlyEqualFilters) {
  // They differ in one of 1000 values, and there by a float's spacing or a few: the inner
  // products alone, 1e9 each, cannot tell. The second is in the middle.
  Tensor weight(Shape{3, 1000});
  weight.Fill(1000);
  weight[1999] = 1000.00006F;
  weight[2999] = 1000.0003F;
  const Mask mask = FpgmMaskGenerator({.distance = "l2"}).Generate(weight, 0.3, kContext);
  EXPECT_TRUE(mask[0] && !mask[1000] && mask[2000]);
  EXPECT_EQ(mask.CountPruned(), 1000);
}

TEST(FpgmMaskGenerator, TiesAndZeroFiltersAreDefined) {
  const Tensor two({2, 2}, {1, 0, 0, 1});
  EXPECT_EQ(FpgmMaskGenerator({}).Generate(two, 0.5, kContext).bytes(), std::vector<uint8_t>{0xC});
  const Tensor with_zero({3, 2}, {1, 0, 0, 1, 0, 0});
  EXPECT_EQ(FpgmMaskGenerator({.distance = "cos"}).Generate(with_zero, 0.3, kContext).bytes(),
            std::vector<uint8_t>{0b001111});
}

}  // namespace
}  // namespace sparsify

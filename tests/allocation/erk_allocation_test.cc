#include <algorithm>
#include <cmath>

#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using testing::Overall;
using testing::SmallNetwork;
using testing::TestNetwork;

// As published: layers that would be denser than dense are made dense, the rest solved again.
std::vector<double> NaiveErk(const TestNetwork& net, double sparsity, double power) {
  std::vector<double> raw;
  for (const Layer& layer : net.layers) {
    double sum = 0;
    double product = 1;
    for (const int64_t d : layer.weight_shape.dims()) {
      sum += static_cast<double>(d);
      product *= static_cast<double>(d);
    }
    raw.push_back(std::pow(sum / product, power));
  }
  std::vector<bool> dense(raw.size(), false);
  for (;;) {
    double kept = 0;
    double weighted = 0;
    for (size_t i = 0; i < raw.size(); ++i) {
      const auto n = static_cast<double>(net.layers[i].parameters);
      kept += n * (1 - sparsity) - (dense[i] ? n : 0);
      weighted += dense[i] ? 0 : n * raw[i];
    }
    const double epsilon = kept / weighted;
    bool changed = false;
    for (size_t i = 0; i < raw.size(); ++i) {
      if (dense[i] || epsilon * raw[i] <= 1) continue;
      dense[i] = changed = true;
    }
    if (changed) continue;
    std::vector<double> result;
    for (size_t i = 0; i < raw.size(); ++i) result.push_back(dense[i] ? 0 : 1 - epsilon * raw[i]);
    return result;
  }
}

TEST(AllocateErk, EqualsTheIterationOfThePaper) {
  const TestNetwork net = SmallNetwork();
  for (const double power : {0.5, 1.0, 2.0}) {
    for (int percent = 5; percent < 100; percent += 5) {
      const double s = percent / 100.0;
      const auto actual = net.Sparsities(s, {.type = "ERK", .erk_power = power});
      const auto expected = NaiveErk(net, s, power);
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(actual[i], expected[i], 1e-9) << "layer " << i << " at " << percent << " %";
      }
      ASSERT_NEAR(Overall(net, actual), s, 1e-12);
    }
  }
}

TEST(AllocateErk, HasAClosedFormForTwoLayers) {
  TestNetwork net;
  net.Add("small", {10, 10});    // raw 0.2
  net.Add("large", {100, 100});  // raw 0.02
  // ε(100·0.2 + 10000·0.02) = 0.1·10100, so ε = 1010/220 and ε·0.2 = 0.918 < 1.
  const auto s = net.Sparsities(0.9, {.type = "ERK"});
  EXPECT_NEAR(s[0], 1 - 0.2 * 1010 / 220, 1e-12);
  EXPECT_NEAR(s[1], 1 - 0.02 * 1010 / 220, 1e-12);
}

TEST(AllocateErk, RedistributesTheExcessOverACap) {
  const TestNetwork net = SmallNetwork();
  const auto free = net.Sparsities(0.7, {.type = "ERK"});
  const double cap = 0.75;
  ASSERT_GT(*std::max_element(free.begin(), free.end()), cap);
  const auto capped = net.Sparsities(0.7, {.type = "ERK", .max_layer_sparsity = cap});
  EXPECT_NEAR(Overall(net, capped), 0.7, 1e-12);
  for (size_t i = 0; i < free.size(); ++i) {
    EXPECT_LE(capped[i], cap + 1e-12);
    if (free[i] < cap) {
      EXPECT_GE(capped[i], free[i] - 1e-12);
    }
  }
}

}  // namespace
}  // namespace sparsify

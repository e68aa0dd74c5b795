#include "sparsity/allocation/global_allocation.h"

#include <algorithm>
#include <cmath>

#include "sparsity/base/parallel.h"
#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using testing::SmallNetwork;
using testing::TestNetwork;

struct Entry {
  double score;
  size_t layer;
};

// All weights in one list, stably sorted in double.
std::vector<int64_t> NaiveCounts(TestNetwork& net, int64_t count, int norm) {
  std::vector<Entry> all;
  for (size_t i = 0; i < net.layers.size(); ++i) {
    double total = 0;
    for (const float w : net.weight(i).values()) total += std::pow(std::abs(w), norm);
    const double scale = norm == 0 ? 1 : std::pow(total, 1.0 / norm);
    for (const float w : net.weight(i).values()) all.push_back({std::abs(w) / scale, i});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Entry& a, const Entry& b) { return a.score < b.score; });
  std::vector<int64_t> counts(net.layers.size(), 0);
  for (int64_t i = 0; i < count; ++i) ++counts[all[static_cast<size_t>(i)].layer];
  return counts;
}

std::vector<int64_t> Counts(const TestNetwork& net, const std::vector<double>& sparsity) {
  std::vector<int64_t> counts;
  for (size_t i = 0; i < sparsity.size(); ++i) {
    counts.push_back(std::llround(sparsity[i] * static_cast<double>(net.layers[i].parameters)));
  }
  return counts;
}

TEST(AllocateGlobal, EqualsAFullSort) {
  TestNetwork net = SmallNetwork();
  const char* types[] = {"Magnitude", "L1Normalized", "L2Normalized"};
  for (int norm = 0; norm < 3; ++norm) {
    for (const int64_t percent : {1, 10, 50, 77, 90, 99}) {
      const int64_t n = 16832;
      const auto expected = NaiveCounts(net, n - (100 - percent) * n / 100, norm);
      const auto actual = net.Sparsities(static_cast<double>(percent) / 100, {.type = types[norm]});
      EXPECT_EQ(Counts(net, actual), expected) << types[norm] << " at " << percent;
    }
  }
}

TEST(AllocateGlobal, TiesGoByLayerAndTheCountIsExact) {
  TestNetwork net;
  for (const char* name : {"a", "b", "c"}) net.Add(name, {10, 10});
  for (size_t i = 0; i < 3; ++i) net.weight(i).Fill(-0.5F);
  EXPECT_EQ(Counts(net, net.Sparsities(0.5, {.type = "Magnitude"})),
            (std::vector<int64_t>{100, 50, 0}));
}

TEST(AllocateGlobal, NormalisedScoresDoNotSeeTheScaleOfALayer) {
  TestNetwork plain = SmallNetwork();
  TestNetwork scaled = SmallNetwork();
  for (float& w : scaled.weight(3).values()) w *= 1024;
  for (const char* type : {"L1Normalized", "L2Normalized"}) {
    EXPECT_EQ(plain.Sparsities(0.6, {.type = type}), scaled.Sparsities(0.6, {.type = type}));
  }
  EXPECT_NE(plain.Sparsities(0.6, {.type = "Magnitude"}),
            scaled.Sparsities(0.6, {.type = "Magnitude"}));
}

TEST(AllocateGlobal, RedistributesTheExcessOverACap) {
  TestNetwork net = SmallNetwork();
  const double cap = 0.6;
  const auto counts =
      Counts(net, net.Sparsities(0.5, {.type = "Magnitude", .max_layer_sparsity = cap}));
  int64_t total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto n = net.layers[i].parameters;
    EXPECT_LE(counts[i], 6 * n / 10);
    total += counts[i];
  }
  EXPECT_EQ(total, 16832 / 2);
  // Layers below the cap share one threshold: none of theirs is pruned above one that is kept.
  double largest_pruned = 0;
  double smallest_kept = 1e9;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 6 * net.layers[i].parameters / 10) continue;
    std::vector<float> sorted;
    for (const float w : net.weight(i).values()) sorted.push_back(std::abs(w));
    std::sort(sorted.begin(), sorted.end());
    const auto cut = static_cast<size_t>(counts[i]);
    if (cut > 0) largest_pruned = std::max<double>(largest_pruned, sorted[cut - 1]);
    if (cut < sorted.size()) smallest_kept = std::min<double>(smallest_kept, sorted[cut]);
  }
  EXPECT_LE(largest_pruned, smallest_kept);
  EXPECT_GT(largest_pruned, 0);
}

TEST(AllocateGlobal, IsTheSameOnAnyNumberOfThreads) {
  const TestNetwork net = SmallNetwork();
  for (const char* type : {"ERK", "Magnitude", "L1Normalized", "level"}) {
    SetThreads(1);
    const auto one = net.Sparsities(0.6, {.type = type});
    SetThreads(4);
    EXPECT_EQ(net.Sparsities(0.6, {.type = type}), one) << type;
    SetThreads(0);
  }
}

}  // namespace
}  // namespace sparsify

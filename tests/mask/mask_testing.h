// What the mask tests share: random weights and naive selections by full sorting.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/random.h"
#include "sparsity/mask/mask_generator.h"

namespace sparsify::testing {

inline Tensor RandomWeight(const Shape& shape, uint64_t seed) {
  Random random(seed);
  Tensor weight(shape);
  for (float& w : weight.values()) w = static_cast<float>(random.Normal());
  return weight;
}

// Values on a coarse grid, so that many magnitudes are equal.
inline Tensor TiedWeight(const Shape& shape, uint64_t seed) {
  Random random(seed);
  Tensor weight(shape);
  for (float& w : weight.values()) w = static_cast<float>(random.Below(7)) - 3;
  return weight;
}

inline Shape RandomShape(Random& random) {
  const auto dim = [&](uint64_t most) { return static_cast<int64_t>(1 + random.Below(most)); };
  if (random.Below(3) == 0) return {dim(20), dim(30)};
  return {dim(12), dim(18), dim(4), dim(3)};
}

// Number of things that go, by the definition in exact integer arithmetic: `percent` of n.
inline int64_t CountOfPercent(int64_t n, int64_t percent) { return n - (100 - percent) * n / 100; }

// Indices of the `count` smallest, ties by index, by a full stable sort.
inline std::vector<bool> NaiveSmallest(const std::vector<double>& scores, int64_t count) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  std::vector<bool> chosen(scores.size(), false);
  for (int64_t i = 0; i < count; ++i) chosen[order[static_cast<size_t>(i)]] = true;
  return chosen;
}

inline void ExpectPruned(const Mask& mask, const std::vector<bool>& pruned) {
  ASSERT_EQ(mask.size(), static_cast<int64_t>(pruned.size()));
  for (int64_t i = 0; i < mask.size(); ++i) {
    ASSERT_EQ(!mask[i], pruned[static_cast<size_t>(i)]) << "at flat index " << i;
  }
}

// Repeats one decision per filter for each of its weights.
inline std::vector<bool> PerWeight(const std::vector<bool>& filters, int64_t filter_size) {
  std::vector<bool> weights;
  for (const bool pruned : filters)
    weights.insert(weights.end(), static_cast<size_t>(filter_size), pruned);
  return weights;
}

inline std::string MessageOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace sparsify::testing

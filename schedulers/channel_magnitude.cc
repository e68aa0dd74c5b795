#include "schedulers/channel_magnitude.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace sparsify {
namespace {

constexpr int64_t kGroup = 4;

// Σ of the `count` largest.
double SumOfLargest(std::span<float> values, int64_t count) {
  const auto end = values.begin() + std::min<int64_t>(count, std::ssize(values));
  std::nth_element(values.begin(), end == values.end() ? end - 1 : end, values.end(),
                   std::greater<>());
  double sum = 0;
  for (auto it = values.begin(); it != end; ++it) sum += *it;
  return sum;
}

double SumOfGroups(std::span<float> row, int64_t n) {
  double sum = 0;
  for (size_t first = 0; first < row.size(); first += kGroup) {
    sum += SumOfLargest(row.subspan(first, std::min<size_t>(kGroup, row.size() - first)), n);
  }
  return sum;
}

// What n of every four keep of a row of this length.
int64_t KeptOfRow(int64_t length, int64_t n) {
  return length / kGroup * n + std::min(n, length % kGroup);
}

// Calls visit(row) for every output channel and tap of a weight, with |w| by input channel.
template <class Visit>
void ForEachRow(const Tensor& weight, const Visit& visit) {
  const int64_t inputs = weight.shape()[1];
  const int64_t taps = weight.size() / (weight.shape()[0] * inputs);
  std::vector<float> row(static_cast<size_t>(inputs));
  for (int64_t o = 0; o < weight.shape()[0]; ++o) {
    for (int64_t k = 0; k < taps; ++k) {
      const float* from = weight.data() + o * inputs * taps + k;
      for (size_t i = 0; i < row.size(); ++i) {
        row[i] = std::abs(from[static_cast<int64_t>(i) * taps]);
      }
      visit(std::span<float>(row));
    }
  }
}

}  // namespace

double KeptByLayer(const Tensor& weight, int64_t n) {
  double sum = 0;
  ForEachRow(weight, [&](std::span<float> row) { sum += SumOfGroups(row, n); });
  return sum;
}

double BestOfLayer(const Tensor& weight, int64_t n) {
  double sum = 0;
  ForEachRow(weight, [&](std::span<float> row) {
    sum += SumOfLargest(row, KeptOfRow(std::ssize(row), n));
  });
  return sum;
}

std::vector<ChannelUse> SearchedUses(const Graph& graph, const ChannelSpace& space,
                                     std::span<const ValueId> weights) {
  std::vector<ChannelUse> uses;
  for (const ChannelUse& use : space.uses) {
    const ValueId weight = graph.node(use.node).inputs[use.input];
    const bool wanted = std::find(weights.begin(), weights.end(), weight) != weights.end();
    const bool one_column = use.inner == use.taps;
    if (use.kind == ChannelUse::Kind::kReads && one_column && wanted) uses.push_back(use);
  }
  return uses;
}

MagnitudeColumns MagnitudesOf(const Graph& graph, const std::vector<ChannelUse>& uses,
                              int64_t first, int64_t count) {
  const auto holds = [&](const ChannelUse& use) {
    return use.first <= first && first + count <= use.first + use.length;
  };
  int64_t rows = 0;
  for (const ChannelUse& use : uses) rows += holds(use) ? use.outer * use.taps : 0;
  MagnitudeColumns columns(rows, count);
  int64_t row = 0;
  for (const ChannelUse& use : uses) {
    if (!holds(use)) continue;
    const float* weight = graph.value(graph.node(use.node).inputs[use.input]).data.data();
    for (int64_t u = 0; u < use.outer; ++u, row += use.taps) {
      const float* from = weight + use.base + u * use.stride + (first - use.first) * use.inner;
      for (int64_t c = 0; c < count; ++c) {
        for (int64_t t = 0; t < use.taps; ++t) {
          columns.Column(c)[row + t] = std::abs(from[c * use.inner + t]);
        }
      }
    }
  }
  return columns;
}

PermutationGain GainBefore(const Graph& graph, const std::vector<ChannelUse>& uses, int64_t n) {
  PermutationGain gain;
  for (const ChannelUse& use : uses) {
    const MagnitudeColumns columns = MagnitudesOf(graph, {use}, use.first, use.length);
    std::vector<float> row(static_cast<size_t>(use.length));
    for (int64_t r = 0; r < columns.rows(); ++r) {
      for (int64_t c = 0; c < use.length; ++c) row[static_cast<size_t>(c)] = columns.Column(c)[r];
      gain.plain += SumOfGroups(row, n);
      gain.best += SumOfLargest(row, KeptOfRow(use.length, n));
    }
  }
  gain.permuted = gain.plain;
  return gain;
}

}  // namespace sparsify

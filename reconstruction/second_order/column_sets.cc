#include "reconstruction/second_order/column_sets.h"

#include <algorithm>

#include "sparsity/base/error.h"

namespace sparsify {

void CheckPattern(const std::string& layer, const PrunePattern& pattern) {
  if (pattern.kind == PruneKind::kNM && (pattern.n < 1 || pattern.m < 2 || pattern.n > pattern.m)) {
    Fail(layer, "n = {} of m = {} is no N:M pattern; need 1 <= n <= m, m >= 2", pattern.n,
         pattern.m);
  }
  if (pattern.kind == PruneKind::kBlock &&
      (pattern.block_outputs < 1 || pattern.block_inputs < 1)) {
    Fail(layer, "block {}x{} is no pattern; need two positive numbers", pattern.block_outputs,
         pattern.block_inputs);
  }
}

std::vector<ColumnSet> MakeColumnSets(const LayerStatistics& statistics,
                                      const PrunePattern& pattern) {
  CheckPattern(statistics.layer_name(), pattern);
  std::vector<ColumnSet> sets;
  if (pattern.kind == PruneKind::kUnstructured) {
    for (int64_t c = 0; c < statistics.columns(); ++c) sets.push_back({c});
    return sets;
  }
  const int64_t width = pattern.kind == PruneKind::kNM ? pattern.m : pattern.block_inputs;
  const int64_t taps = statistics.taps();
  const int64_t inputs = statistics.columns() / taps;
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t first = 0; first < inputs; first += width) {
      ColumnSet set;
      for (int64_t i = first; i < std::min(first + width, inputs); ++i) {
        set.push_back(i * taps + tap);
      }
      sets.push_back(set);
    }
  }
  return sets;
}

}  // namespace sparsify

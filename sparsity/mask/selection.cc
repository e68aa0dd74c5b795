#include "sparsity/mask/selection.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sparsity/base/error.h"

namespace sparsify {

int64_t PruneCount(int64_t count, double sparsity) {
  const double n = static_cast<double>(count);
  const double kept = (1 - sparsity) * n;
  const double nearest = std::round(kept);
  const double rounding = 8 * std::numeric_limits<double>::epsilon() * n;
  const double whole = std::abs(kept - nearest) <= rounding ? nearest : std::floor(kept);
  return std::clamp<int64_t>(count - static_cast<int64_t>(whole), 0, count);
}

std::vector<bool> SmallestScores(std::span<const double> scores, int64_t count) {
  std::vector<bool> chosen(scores.size(), false);
  if (count <= 0) return chosen;
  std::vector<double> sorted(scores.begin(), scores.end());
  const auto last = sorted.begin() + (count - 1);
  std::nth_element(sorted.begin(), last, sorted.end());
  const double threshold = *last;
  int64_t ties =
      count - std::count_if(scores.begin(), scores.end(), [=](double s) { return s < threshold; });
  for (size_t i = 0; i < scores.size(); ++i) {
    chosen[i] = scores[i] < threshold || (scores[i] == threshold && ties-- > 0);
  }
  return chosen;
}

uint32_t internal::FindBin(const std::vector<int64_t>& histogram, int64_t& count) {
  for (size_t bin = 0; bin < histogram.size(); ++bin) {
    if (count <= histogram[bin]) return static_cast<uint32_t>(bin);
    count -= histogram[bin];
  }
  Fail("selection", "{} more values are asked for than there are", count);
}

}  // namespace sparsify

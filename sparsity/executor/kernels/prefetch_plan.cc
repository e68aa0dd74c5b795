#include "sparsity/executor/kernels/prefetch_plan.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace sparsify {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kLine = 64;

/// The lines of `floats` floats from `start` on.
void AddLines(int64_t start, int64_t floats, std::vector<int32_t>& lines) {
  const int64_t begin = start * kFloat;
  const int64_t end = begin + floats * kFloat;
  if (end > std::numeric_limits<int32_t>::max()) return;
  for (int64_t at = begin; at < end; at += kLine) lines.push_back(static_cast<int32_t>(at));
  if ((end - begin) % kLine != 0) lines.push_back(static_cast<int32_t>(end - 1));
}

/// Spreads lines [begin, end) over `steps`; the remainder repeats the last line.
PrefetchList Spread(const std::vector<int32_t>& lines, size_t begin, size_t end, int per_group,
                    int64_t steps) {
  PrefetchList list{per_group, {}};
  list.offsets.assign(lines.begin() + static_cast<std::ptrdiff_t>(begin),
                      lines.begin() + static_cast<std::ptrdiff_t>(end));
  const int32_t last = list.offsets.empty() ? 0 : list.offsets.back();
  list.offsets.resize(steps * per_group, last);
  return list;
}

int PerGroup(size_t lines, int64_t steps) {
  return static_cast<int>((static_cast<int64_t>(lines) + steps - 1) / steps);
}

}  // namespace

PrefetchList InputPrefetch(const TilePlan& plan, int64_t channels, int64_t steps) {
  const ConvGeometry& g = plan.geometry;
  const LaneShape in = g.InShape();
  const int64_t columns = plan.tile.columns * plan.form.positions;
  const int64_t row_floats =
      ((columns - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1) * g.lanes;
  const int64_t pair =
      plan.form.pair_dy * g.stride_h * in.row_stride() + plan.form.pair_dx * g.stride_w * g.lanes;
  std::vector<int32_t> lines;
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (int64_t row = 0; row < plan.slot_rows; ++row) {
      for (int part = 0; part < plan.form.parts; ++part) {
        AddLines(channel * in.plane_stride() + row * plan.row_step * in.row_stride() + part * pair,
                 row_floats, lines);
      }
    }
  }
  return Spread(lines, 0, lines.size(), PerGroup(lines.size(), steps), steps);
}

std::vector<PrefetchList> OutputPrefetch(const TilePlan& plan, int64_t channels, int64_t blocks,
                                         int64_t steps) {
  const LaneShape out = plan.geometry.OutShape();
  const int64_t row_floats = plan.tile.columns * plan.form.positions * out.lanes;
  std::vector<int32_t> lines;
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (int64_t row = 0; row < plan.tile.rows; ++row) {
      for (int part = 0; part < plan.form.parts; ++part) {
        AddLines(
            channel * out.plane_stride() + row * out.row_stride() + part * plan.PairOffset(out),
            row_floats, lines);
      }
    }
  }
  // The last block writes: what it touches has been asked for by the others.
  const auto asking = static_cast<size_t>(std::max<int64_t>(blocks - 1, 1));
  const size_t share = (lines.size() + asking - 1) / asking;
  const int per_group = PerGroup(share, steps);
  std::vector<PrefetchList> lists;
  for (size_t block = 0; block < asking; ++block) {
    const size_t begin = std::min(block * share, lines.size());
    lists.push_back(Spread(lines, begin, std::min(begin + share, lines.size()), per_group, steps));
  }
  if (blocks > 1) lists.push_back(Spread(lines, lines.size(), lines.size(), per_group, steps));
  return lists;
}

}  // namespace sparsify

#include "sparsity/executor/kernels/weight_stream.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "sparsity/base/error.h"
#include "sparsity/base/rounding.h"
#include "sparsity/executor/kernels/tile_kernel.h"

namespace sparsify {
namespace {

constexpr int64_t kMax16 = std::numeric_limits<uint16_t>::max();

}  // namespace

int64_t MaxBlockChannels(const TilePlan& plan) {
  const ConvGeometry& g = plan.geometry;
  const int64_t by_count = kMax16 / (g.kernel_h * g.kernel_w);
  const int64_t by_offset = plan.packed ? kMax16 / plan.channel_slots() : kMax16;
  return std::min(by_count, by_offset);
}

/// What does not change from one row group to the next.
struct WeightStream::Columns {
  struct Tap {
    int64_t weight;  // of the first row and tap, from the channel's first
    int64_t slot;
  };
  struct Column {
    uint32_t pattern;
    uint16_t offset;
    const float* weight;  // of the first row and tap
  };

  Columns(const TilePlan& plan, const StreamLayout& layout)
      : channel_slots(plan.packed ? plan.channel_slots() : 1) {
    const ConvGeometry& g = plan.geometry;
    const int64_t step_h = layout.taps_along_width ? 1 : layout.taps;
    const int64_t step_w = layout.taps_along_width ? layout.taps : 1;
    for (int64_t kh = 0; kh < g.kernel_h; kh += step_h) {
      for (int64_t kw = 0; kw < g.kernel_w; kw += step_w) {
        taps.push_back({kh * g.kernel_w + kw, plan.packed ? plan.TapSlot(kh, kw) : 0});
      }
    }
    const int64_t tap_stride = layout.taps_along_width ? 1 : g.kernel_w;
    for (int bit = 0; bit < layout.rows * layout.taps; ++bit) {
      bits.push_back((bit / layout.taps) * g.taps() + (bit % layout.taps) * tap_stride);
    }
  }

  std::vector<Tap> taps;
  std::vector<int64_t> bits;  // by pattern bit: its weight, from the column's
  int64_t channel_slots;
  std::vector<Column> found;   // of a row group
  std::vector<Column> sorted;  // by pattern
};

WeightStream::WeightStream(const TilePlan& plan, const StreamLayout& layout, const float* weight,
                           int64_t out_channels)
    : layout_(layout) {
  const int64_t channels = plan.geometry.in_channels / plan.geometry.groups;
  if (layout.block_channels < 1 || layout.block_channels > MaxBlockChannels(plan)) {
    Fail("sparse convolution", "blocks of {} input channels, expected 1 to {}",
         layout.block_channels, MaxBlockChannels(plan));
  }
  blocks_ = CeilDiv(channels, layout.block_channels);
  row_groups_ = CeilDiv(out_channels, layout.rows);
  Columns columns(plan, layout);
  for (int64_t block = 0; block < blocks_; ++block) {
    for (int64_t group = 0; group < row_groups_; ++group) {
      AddBegin();
      const int64_t row = group * layout.rows;
      const int rows = static_cast<int>(std::min<int64_t>(layout.rows, out_channels - row));
      AddRowGroup(plan, columns, weight, block, row, rows);
    }
    AddBegin();
  }
  offsets_.shrink_to_fit();
  values_.shrink_to_fit();
}

void WeightStream::AddBegin() {
  const size_t most = std::max({offsets_.size(), values_.size(), counts_.size()});
  if (most > std::numeric_limits<uint32_t>::max()) {
    Fail("sparse convolution", "a weight stream of {} values, expected fewer than 2^32", most);
  }
  begins_.push_back({static_cast<uint32_t>(offsets_.size()), static_cast<uint32_t>(values_.size()),
                     static_cast<uint32_t>(counts_.size())});
}

void WeightStream::AddRowGroup(const TilePlan& plan, Columns& columns, const float* weight,
                               int64_t block, int64_t row, int rows) {
  const ConvGeometry& g = plan.geometry;
  const int64_t channels = g.in_channels / g.groups;
  const int64_t first = block * layout_.block_channels;
  const int64_t last = std::min(channels, first + layout_.block_channels);
  const int bits = rows * layout_.taps;
  const uint32_t always = layout_.dense ? PatternCount(bits) : 0;
  columns.found.clear();
  std::vector<uint16_t> counts(PatternCount(bits), 0);
  for (int64_t channel = first; channel < last; ++channel) {
    const float* of_channel = weight + (row * channels + channel) * g.kernel_h * g.kernel_w;
    for (const Columns::Tap& tap : columns.taps) {
      const float* of = of_channel + tap.weight;
      uint32_t pattern = always;
      for (int bit = 0; bit < bits; ++bit) {
        pattern |= static_cast<uint32_t>(of[columns.bits[bit]] != 0.0F) << bit;
      }
      if (pattern == 0) continue;
      const int64_t offset = (channel - first) * columns.channel_slots + tap.slot;
      columns.found.push_back({pattern, static_cast<uint16_t>(offset), of});
      ++counts[pattern - 1];
    }
  }
  SortByPattern(columns, counts);
  for (const Columns::Column& column : columns.sorted) {
    offsets_.push_back(column.offset);
    for (int bit = 0; bit < bits; ++bit) {
      if ((column.pattern >> bit & 1) != 0) values_.push_back(column.weight[columns.bits[bit]]);
    }
  }
  if (layout_.dense) {
    counts_.push_back(counts.back());
  } else {
    counts_.insert(counts_.end(), counts.begin(), counts.end());
  }
}

/// Stable: columns of one pattern stay in the order of the input.
void WeightStream::SortByPattern(Columns& columns, const std::vector<uint16_t>& counts) {
  std::vector<size_t> next(counts.size());
  std::exclusive_scan(counts.begin(), counts.end(), next.begin(), size_t{0});
  columns.sorted.resize(columns.found.size());
  for (const Columns::Column& column : columns.found) {
    columns.sorted[next[column.pattern - 1]++] = column;
  }
}

std::vector<double> WeightStream::MeanCounts() const {
  const int64_t patterns = layout_.dense ? 1 : PatternCount(layout_.rows * layout_.taps);
  std::vector<double> means(static_cast<size_t>(patterns), 0);
  double groups = 0;
  for (int64_t block = 0; block < blocks_; ++block) {
    for (int64_t group = 0; group < row_groups_; ++group) {
      const uint32_t begin = At(block, group).count;
      if (At(block, group + 1).count - begin != patterns) continue;  // fewer rows
      ++groups;
      for (size_t i = 0; i < means.size(); ++i) means[i] += counts_[begin + i];
    }
  }
  for (double& mean : means) mean /= std::max(groups, 1.0);
  return means;
}

int64_t WeightStream::bytes() const {
  return static_cast<int64_t>(offsets_.size() * sizeof(uint16_t) + values_.size() * sizeof(float) +
                              counts_.size() * sizeof(uint16_t) + begins_.size() * sizeof(Begin));
}

}  // namespace sparsify

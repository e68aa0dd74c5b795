#include "sparsity/executor/kernels/weight_stream.h"

#include <algorithm>
#include <limits>

#include "sparsity/base/error.h"
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

WeightStream::WeightStream(const TilePlan& plan, const StreamLayout& layout, const float* weight,
                           int64_t out_channels)
    : layout_(layout) {
  const int64_t channels = plan.geometry.in_channels / plan.geometry.groups;
  if (layout.block_channels < 1 || layout.block_channels > MaxBlockChannels(plan)) {
    Fail("sparse convolution", "blocks of {} input channels, expected 1 to {}",
         layout.block_channels, MaxBlockChannels(plan));
  }
  blocks_ = (channels + layout.block_channels - 1) / layout.block_channels;
  row_groups_ = (out_channels + layout.rows - 1) / layout.rows;
  for (int64_t block = 0; block < blocks_; ++block) {
    for (int64_t group = 0; group < row_groups_; ++group) {
      AddBegin();
      const int64_t row = group * layout.rows;
      const int rows = static_cast<int>(std::min<int64_t>(layout.rows, out_channels - row));
      AddRowGroup(plan, weight, block, row, rows);
    }
    AddBegin();
  }
  offsets_.shrink_to_fit();
  values_.shrink_to_fit();
}

void WeightStream::AddBegin() {
  begins_.push_back({static_cast<int64_t>(offsets_.size()), static_cast<int64_t>(values_.size()),
                     static_cast<int64_t>(counts_.size())});
}

void WeightStream::AddRowGroup(const TilePlan& plan, const float* weight, int64_t block,
                               int64_t row, int rows) {
  const ConvGeometry& g = plan.geometry;
  const int64_t channels = g.in_channels / g.groups;
  const int64_t first = block * layout_.block_channels;
  const int64_t last = std::min(channels, first + layout_.block_channels);
  const int bits = rows * layout_.taps;
  struct Column {
    uint32_t pattern;
    uint16_t offset;
    const float* weight;  // of row `row`, first tap
  };
  std::vector<Column> columns;
  const int64_t tap_stride = layout_.taps_along_width ? 1 : g.kernel_w;
  const auto value = [&](const float* of, int bit) {
    return of[(bit / layout_.taps) * g.taps() + (bit % layout_.taps) * tap_stride];
  };
  const int64_t step_h = layout_.taps_along_width ? 1 : layout_.taps;
  const int64_t step_w = layout_.taps_along_width ? layout_.taps : 1;
  for (int64_t channel = first; channel < last; ++channel) {
    for (int64_t kh = 0; kh < g.kernel_h; kh += step_h) {
      for (int64_t kw = 0; kw < g.kernel_w; kw += step_w) {
        const float* of = weight + ((row * channels + channel) * g.kernel_h + kh) * g.kernel_w + kw;
        uint32_t pattern = layout_.dense ? PatternCount(bits) : 0;
        for (int bit = 0; bit < bits; ++bit) {
          if (value(of, bit) != 0.0F) pattern |= 1U << bit;
        }
        const int64_t offset = plan.packed
                                   ? (channel - first) * plan.channel_slots() + plan.TapSlot(kh, kw)
                                   : channel - first;
        if (pattern != 0) columns.push_back({pattern, static_cast<uint16_t>(offset), of});
      }
    }
  }
  std::stable_sort(columns.begin(), columns.end(),
                   [](const Column& a, const Column& b) { return a.pattern < b.pattern; });
  std::vector<uint16_t> counts(PatternCount(bits), 0);
  for (const Column& column : columns) {
    ++counts[column.pattern - 1];
    offsets_.push_back(column.offset);
    for (int bit = 0; bit < bits; ++bit) {
      if ((column.pattern >> bit & 1) != 0) values_.push_back(value(column.weight, bit));
    }
  }
  if (layout_.dense) {
    counts_.push_back(counts.back());
  } else {
    counts_.insert(counts_.end(), counts.begin(), counts.end());
  }
}

int64_t WeightStream::bytes() const {
  return static_cast<int64_t>(offsets_.size() * sizeof(uint16_t) + values_.size() * sizeof(float) +
                              counts_.size() * sizeof(uint16_t) + begins_.size() * sizeof(Begin));
}

}  // namespace sparsify

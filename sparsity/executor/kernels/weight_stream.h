// A pruned weight as the tile kernels read it: columns sorted by pattern within blocks of
// input channels and groups of rows.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/executor/kernels/tile_plan.h"

namespace sparsify {

/// How a weight is cut.
struct StreamLayout {
  int rows = 1;  // output channels of a row group; the last group may have fewer
  int taps = 1;  // of a column: 1, kernel_h or kernel_w
  bool taps_along_width = false;
  int64_t block_channels = 1;  // input channels of a block; the last may have fewer
  bool dense = false;          // zeros are kept
};

/// The stream of one convolution group: all blocks one after the other.
class WeightStream {
 public:
  /// Where a row group of a block begins.
  struct Begin {
    uint32_t offset = 0;
    uint32_t value = 0;
    uint32_t count = 0;
  };

  /// weight: out_channels×in_channels×kernel_h×kernel_w of this group. Throws Error when a
  /// column's offset or a count exceeds 16 bits, as the block is too large, or a begin 32 bits.
  WeightStream(const TilePlan& plan, const StreamLayout& layout, const float* weight,
               int64_t out_channels);

  int64_t blocks() const { return blocks_; }
  int64_t row_groups() const { return row_groups_; }
  /// `row_group` may be row_groups(): where the block ends.
  const Begin& At(int64_t block, int64_t row_group) const {
    return begins_[block * (row_groups_ + 1) + row_group];
  }
  const uint16_t* offsets() const { return offsets_.data(); }
  const float* values() const { return values_.data(); }
  const uint16_t* counts() const { return counts_.data(); }
  int64_t bytes() const;
  /// Columns of a pattern in a full row group of a block, on average; by pattern.
  std::vector<double> MeanCounts() const;

 private:
  struct Columns;

  void AddRowGroup(const TilePlan& plan, Columns& columns, const float* weight, int64_t block,
                   int64_t row, int rows);
  static void SortByPattern(Columns& columns, const std::vector<uint16_t>& counts);
  void AddBegin();

  StreamLayout layout_;
  int64_t blocks_ = 0;
  int64_t row_groups_ = 0;
  std::vector<uint16_t> offsets_;
  std::vector<float> values_;
  std::vector<uint16_t> counts_;
  std::vector<Begin> begins_;
};

/// The most channels a block may have for 16-bit offsets and counts.
int64_t MaxBlockChannels(const TilePlan& plan);

}  // namespace sparsify

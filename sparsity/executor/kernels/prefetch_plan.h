// Which cache lines a tile kernel asks for ahead of time, spread evenly over its row groups:
// the input that the next block or tile will pack, and the lines of the output (and residual)
// that the tile will touch at its end.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/executor/kernels/tile_plan.h"

namespace sparsify {

/// Byte offsets, `per_group` for every row group of every register tile of a tile.
struct PrefetchList {
  int per_group = 0;
  std::vector<int32_t> offsets;
};

/// Lines of `channels` channels of a tile's input, from what the tile's first slot reads of
/// the first channel. `steps`: register tiles × row groups.
PrefetchList InputPrefetch(const TilePlan& plan, int64_t channels, int64_t steps);

/// Lines of `channels` channels of a tile's output from the tile's first output, dealt to
/// `blocks` blocks: list b of the result is for block b.
std::vector<PrefetchList> OutputPrefetch(const TilePlan& plan, int64_t channels, int64_t blocks,
                                         int64_t steps);

}  // namespace sparsify

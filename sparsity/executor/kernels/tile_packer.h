// Copies what one tile reads of a block of input channels into scratch, in whole aligned
// vectors, with the zeros of the pads.
#pragma once

#include <cstdint>

#include "sparsity/executor/isa.h"
#include "sparsity/executor/kernels/tile_plan.h"

namespace sparsify {

/// One copy of the packing: a row of slots, one part of its vectors.
struct PackRow {
  int64_t from = 0;    // floats from the interior of the plane to input column 0 of the row
  int64_t to = 0;      // floats from the channel's scratch to the part of the row's first slot
  int64_t column = 0;  // input column of the first slot
  int64_t begin = 0;   // slots [begin, end) lie inside the input; not set with one lane
  int64_t end = 0;
  bool zero = false;  // the row lies outside the input
};

struct PackTask {
  const TilePlan* plan = nullptr;
  const float* planes = nullptr;  // interior of the first channel's plane
  int64_t plane_stride = 0;       // floats
  int64_t channels = 0;
  int64_t row = 0;  // units: the tile's first, of the whole output
  int64_t column = 0;
  TileSize size;  // of this tile: smaller than the plan's at the far edges
  float* scratch = nullptr;
  PackRow* rows = nullptr;  // room for PackRows(plan)
};

/// PackRow entries that a task needs.
int64_t PackRows(const TilePlan& plan);

using PackFunction = void (*)(const PackTask& task);
PackFunction TilePacker(Isa isa);

// The compilations of tile_packer.inc, one an instruction set.
void PackTileScalar(const PackTask& task);
void PackTileAvx2(const PackTask& task);
void PackTileAvx512(const PackTask& task);

}  // namespace sparsify

// What a tile kernel copies while it computes: the slots that the next block or tile will read.
// Packing as a pass of its own waits for the cache; between multiplications it is nearly free.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/executor/isa.h"
#include "sparsity/executor/kernels/tile_kernel.h"
#include "sparsity/executor/kernels/tile_plan.h"

namespace sparsify {

/// Whether a kernel of `isa` can pack blocks of `channels` channels: whole vectors of 16 floats,
/// with one lane no stride along the width, offsets of 32 bits.
bool CanMove(const TilePlan& plan, int64_t channels, Isa isa);

/// Bytes from what the first part of a slot reads to what the second does, which may be the same; 0
/// where slots have one part.
int32_t MovePair(const TilePlan& plan);

/// Moves of the first `channels` channels of the tile whose first unit is (row, column) of the
/// whole output, in the order of the slots in scratch. Moves past them, to `count`, write zeros.
/// `moves` has room for `count`.
void FillMoves(const TilePlan& plan, int64_t row, int64_t column, int64_t channels, int64_t count,
               TileMove* moves);

}  // namespace sparsify

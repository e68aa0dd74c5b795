// How the output of a convolution is cut into packed tiles, and these into register tiles;
// where each input value of a tile lies in scratch. Pure arithmetic: no data, no code.
//
// Coordinates: a *unit* is one vector of outputs. Units form a grid of rows × columns per
// channel plane. With 16 lanes in vectors of 16 a unit is a position; with 8 lanes it is a
// pair of positions half a plane apart; with one lane a run of neighbouring positions.
//
// Scratch of one input channel: [shift][slot row][slot column] vectors. With one lane there
// is a shifted copy for every kernel column, so that loads stay aligned; else one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/executor/kernels/conv_geometry.h"

namespace sparsify {

/// How one vector of outputs maps to positions.
struct VectorForm {
  int floats = 8;        // of a vector
  int parts = 1;         // runs of contiguous floats: 2 for pairs of positions or of rows
  int positions = 1;     // along the width, of a part; above 1 only with one lane
  int per_position = 1;  // vectors of a position: 2 for 16 lanes in vectors of 8
  int64_t pair_dy = 0;   // from the first part to the second, in output positions
  int64_t pair_dx = 0;
  int64_t rows = 0;     // units
  int64_t columns = 0;  // units, of per_position vectors each
  int tail = 0;         // positions of the last column; 0: all

  int part_floats() const { return floats / parts; }
};

/// A rectangle of units.
struct TileSize {
  int64_t rows = 0;
  int64_t columns = 0;

  bool operator==(const TileSize&) const = default;
};

struct TilePlan {
  ConvGeometry geometry;  // flattened when the tiles are not packed
  int64_t image_groups = 0;
  VectorForm form;
  bool packed = true;
  TileSize tile;           // packed at once
  TileSize register_tile;  // computed at once
  int64_t row_step = 1;    // input rows from one slot row to the next
  int64_t column_step = 1;
  int64_t slot_rows = 0;
  int64_t slot_columns = 0;
  int64_t shifts = 1;

  int64_t grid_rows() const { return (form.rows + tile.rows - 1) / tile.rows; }
  int64_t grid_columns() const { return (form.columns + tile.columns - 1) / tile.columns; }
  /// Vectors of scratch of one channel; unpacked: of one plane.
  int64_t channel_slots() const;
  /// Vectors from the start of a channel to what tap (kh, kw) reads for unit (0, 0).
  int64_t TapSlot(int64_t kh, int64_t kw) const;
  /// Vectors from what unit (0, 0) reads to what unit (row, column) reads.
  int64_t UnitSlot(int64_t row, int64_t column) const;
  /// Bytes of the vectors that a tile reads of one channel.
  int64_t tile_channel_bytes() const;
  /// Floats from the interior of a plane of `shape` to unit (row, column).
  int64_t UnitOffset(const LaneShape& shape, int64_t row, int64_t column) const;
  /// Floats from the first part of a unit to its second.
  int64_t PairOffset(const LaneShape& shape) const;
};

/// True when every position of a plane may be computed alike, halo-free and contiguous: 1×1,
/// stride 1, no pads, no bands, planes of whole vectors.
bool CanFlatten(const ConvGeometry& geometry, int vector_floats);

/// `tile_vectors` and `register_vectors` bound the vectors of a packed and of a register tile.
TilePlan PlanTiles(const ConvGeometry& geometry, int vector_floats, bool packed, int tile_vectors,
                   int register_vectors);

}  // namespace sparsify

// The inside of SparseConv: what is built once (tiles, kernels, streams, prefetch lists) and
// run many times. Private to sparse_conv.cc and sparse_conv_build.cc.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sparsity/executor/kernels/move_plan.h"
#include "sparsity/executor/kernels/prefetch_plan.h"
#include "sparsity/executor/kernels/sparse_conv.h"
#include "sparsity/executor/kernels/tile_kernel.h"
#include "sparsity/executor/kernels/tile_packer.h"
#include "sparsity/executor/kernels/tile_plan.h"
#include "sparsity/executor/kernels/weight_stream.h"

namespace sparsify {

/// One register tile of a packed tile; offsets in floats.
struct RegisterTile {
  const TileKernel* body = nullptr;  // of full row groups
  const TileKernel* rest = nullptr;  // of the last, smaller row group; null when there is none
  int64_t vectors = 0;
  int64_t in = 0;
  int64_t out = 0;
  int64_t residual = 0;
  int64_t spill = 0;
};

/// Packed tiles of one size.
struct TileKind {
  TileSize size;
  std::vector<RegisterTile> tiles;
};

/// One tile of work, up to its block.
struct TileItem {
  int64_t image_group;
  int64_t conv_group;
  int64_t row;  // of the grid of tiles
  int64_t column;
  int64_t part;       // of the row groups
  int64_t first_row;  // of the band, in the whole output
  int64_t block;      // of input channels
};

/// What one thread computes with: views, scratch, and where in its work it is.
struct TileRun {
  LaneView in;
  const LaneView* residual;
  LaneView out;
  int64_t first_row;
  int64_t begin;  // items
  int64_t end;
  char* scratch;
};

struct SparseConv::Impl {
  Impl(const ConvGeometry& geometry, const float* weight, const float* bias,
       const Epilogue& epilogue, const SparseVariant& variant, int threads);

  void BuildStreams(const float* weight);
  void BuildKinds();
  TileKind BuildKind(TileSize size, bool last_column);
  TileKernelSpec Spec(int rows, TileSize size, bool masked) const;
  const TileKernel* Kernel(int rows, TileSize size, bool masked);
  void BuildPrefetch();
  void BuildValuePrefetch();
  void ChooseParts();

  TileItem ItemAt(const TileRun& run, int64_t step) const;
  int64_t BlockChannels(int64_t block) const;
  const float* Planes(const LaneView& in, const TileItem& item) const;
  const float* TileInput(const LaneView& in, const TileItem& item) const;
  float* TileOutput(const LaneView& view, const LaneShape& shape, const TileItem& item) const;
  float* Packed(const TileRun& run, int64_t step) const;
  void Pack(const TileRun& run, int64_t step, const TileItem& item) const;
  void SetMoves(const TileRun& run, int64_t step, const TileItem& item, TileCall& call) const;
  bool MovesAll(const TileItem& item) const;
  void SetOutput(const TileRun& run, const TileItem& item, TileCall& call) const;
  void RunAll(const TileRun& run) const;
  void RunStep(const TileRun& run, int64_t step, const std::array<TileItem, 3>& tiles) const;
  void RunTiles(const TileItem& item, const TileCall& tile_call, float* spill) const;
  const TileKind& KindOf(const TileItem& item) const {
    return kinds[item.row + 1 == plan.grid_rows()][item.column + 1 == plan.grid_columns()];
  }
  int64_t blocks() const { return streams[0].blocks(); }
  int64_t group_channels() const { return plan.geometry.out_channels / plan.geometry.groups; }

  TilePlan plan;
  SparseVariant variant;
  Epilogue epilogue;
  int threads;
  StreamLayout layout;
  std::vector<WeightStream> streams;  // one a convolution group
  std::vector<float> bias;
  std::vector<std::pair<TileKernelSpec, std::unique_ptr<TileKernel>>> kernels;
  std::array<std::array<TileKind, 2>, 2> kinds;  // [last row of tiles][last column]
  PackFunction pack = nullptr;
  std::vector<int> value_prefetches;  // of full row groups
  PrefetchList in_prefetch;
  std::vector<PrefetchList> out_prefetch;  // one a block
  int moves = 0;  // of a row group of a register tile; 0: a tile is packed before its block
  int64_t parts = 1;
  int64_t items = 0;
  // Scratch of a thread: one or two packed blocks, spilled sums, the packer's rows, moves.
  int64_t pack_bytes = 0;  // of one block
  int64_t spill_bytes = 0;
  int64_t rows_bytes = 0;
  int64_t moves_bytes = 0;
  int64_t packed_blocks() const { return moves > 0 ? 2 : 1; }
  int64_t scratch_bytes() const {
    return packed_blocks() * pack_bytes + spill_bytes + rows_bytes + moves_bytes;
  }
};

}  // namespace sparsify

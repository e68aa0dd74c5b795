// The inside of SparseConv: what is built once (tiles, kernels, streams, prefetch lists) and
// run many times. Private to sparse_conv.cc and sparse_conv_build.cc.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

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

/// One tile of work.
struct TileItem {
  int64_t image_group;
  int64_t conv_group;
  int64_t row;  // of the grid of tiles
  int64_t column;
  int64_t part;       // of the row groups
  int64_t first_row;  // of the band, in the whole output
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
  void ChooseParts();

  TileItem ItemAt(int64_t index, int64_t first_row) const;
  const float* Planes(const LaneView& in, const TileItem& item) const;
  int64_t TileInput(const TileItem& item) const;
  float* TileOutput(const LaneView& view, const LaneShape& shape, const TileItem& item) const;
  void RunItem(const TileItem& item, const TileItem& next, const LaneView& in,
               const LaneView* residual, const LaneView& out, char* scratch) const;
  void RunBlock(const TileKind& kind, const TileItem& item, const TileCall& tile_call,
                int64_t block, float* spill) const;
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
  PrefetchList in_prefetch;
  std::vector<PrefetchList> out_prefetch;  // one a block
  int64_t parts = 1;
  int64_t items = 0;
  int64_t pack_bytes = 0;
  int64_t spill_bytes = 0;
  int64_t rows_bytes = 0;
};

}  // namespace sparsify

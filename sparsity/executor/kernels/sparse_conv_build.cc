#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "sparsity/base/error.h"
#include "sparsity/base/rounding.h"
#include "sparsity/executor/kernels/sparse_conv_impl.h"

namespace sparsify {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kLine = 64;

}  // namespace

SparseConv::Impl::Impl(const ConvGeometry& geometry, const float* weight, const float* bias_in,
                       const Epilogue& epilogue_in, const SparseVariant& variant_in, int threads_in)
    : variant(variant_in), epilogue(epilogue_in), threads(threads_in) {
  geometry.Validate("sparse convolution");
  const int floats = variant.isa == Isa::kAvx512 ? 16 : 8;
  if (!variant.packed && !CanFlatten(geometry, floats)) {
    Fail("sparse convolution",
         "variant \"{}\" needs a 1x1 convolution without halo, stride or bands", variant.name);
  }
  if (variant.taps != 1 &&
      (variant.taps != geometry.kernel_h || variant.taps != geometry.kernel_w)) {
    Fail("sparse convolution", "variant \"{}\" needs a kernel of {}x{}, got {}x{}", variant.name,
         variant.taps, variant.taps, geometry.kernel_h, geometry.kernel_w);
  }
  // Generated code holds offsets within a plane in 32 bits.
  constexpr int64_t kMaxFloats = std::numeric_limits<int32_t>::max() / kFloat;
  for (const LaneShape& shape : {geometry.InShape(), geometry.OutShape()}) {
    if (shape.plane_stride() > kMaxFloats) {
      Fail("sparse convolution", "channel planes of {} floats, expected at most {}",
           shape.plane_stride(), kMaxFloats);
    }
  }
  if (threads < 1) Fail("sparse convolution", "{} threads, expected at least 1", threads);
  plan = PlanTiles(geometry, floats, variant.packed, variant.tile_vectors, variant.vectors);
  bias.assign(geometry.out_channels, 0.0F);
  if (bias_in != nullptr) std::copy_n(bias_in, geometry.out_channels, bias.data());
  pack = TilePacker(variant.isa);
  BuildStreams(weight);
  ChooseParts();
  BuildPrefetch();
  BuildValuePrefetch();
  BuildKinds();
}

void SparseConv::Impl::BuildStreams(const float* weight) {
  const ConvGeometry& g = plan.geometry;
  const int64_t channels = g.in_channels / g.groups;
  if (MaxBlockChannels(plan) < 1) {
    Fail("sparse convolution", "a kernel of {}×{} has more positions than the 16 bits of a stream",
         g.kernel_h, g.kernel_w);
  }
  int64_t most = int64_t{variant.block_kb} * 1024 / plan.tile_channel_bytes();
  most = std::clamp<int64_t>(most, 1, std::min(channels, MaxBlockChannels(plan)));
  layout.rows = static_cast<int>(std::min<int64_t>(variant.rows, group_channels()));
  layout.taps = variant.taps;
  // Taps share the more loads the longer the tile is along them; with one lane, only rows.
  layout.taps_along_width =
      variant.taps > 1 && g.lanes > 1 && plan.register_tile.columns > plan.register_tile.rows;
  layout.block_channels = CeilDiv(channels, CeilDiv(channels, most));
  layout.dense = variant.dense;
  for (int64_t group = 0; group < g.groups; ++group) {
    streams.emplace_back(plan, layout, weight + group * group_channels() * g.taps(),
                         group_channels());
  }
}

void SparseConv::Impl::BuildPrefetch() {
  const int64_t tiles = CeilDiv(plan.tile.rows, plan.register_tile.rows) *
                        CeilDiv(plan.tile.columns, plan.register_tile.columns);
  const int64_t steps = tiles * streams[0].row_groups();
  in_prefetch = InputPrefetch(plan, layout.block_channels, steps);
  out_prefetch = OutputPrefetch(plan, group_channels(), streams[0].blocks(), steps);
  // A thread that computes a part of the row groups would move only a part of the slots.
  if (!variant.moving || parts > 1 || !CanMove(plan, layout.block_channels, variant.isa)) return;
  moves = static_cast<int>(CeilDiv(layout.block_channels * plan.channel_slots(), steps));
  moves_bytes = RoundUp(steps * moves * static_cast<int64_t>(sizeof(TileMove)), kLine);
}

/// Where a plane has so few vectors that a weight is used a few times only, the multiply-adds wait
/// for the weights, which other layers have driven out of the core's cache. Elsewhere the processor
/// fetches them early enough by itself, and asking costs more than it gains.
void SparseConv::Impl::BuildValuePrefetch() {
  constexpr int64_t kFewVectors = 16;
  constexpr int kMostLines = 8;  // of a pattern
  const int64_t vectors = plan.form.rows * plan.form.columns * plan.form.per_position;
  if (vectors * plan.image_groups > kFewVectors) return;
  const std::vector<double> counts = streams[0].MeanCounts();
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto pattern = static_cast<unsigned>(
        variant.dense ? PatternCount(layout.rows * layout.taps) : static_cast<int>(i) + 1);
    const double bytes = counts[i] * std::popcount(pattern) * kFloat;
    value_prefetches.push_back(
        std::min(kMostLines, static_cast<int>(std::ceil(bytes / static_cast<double>(kLine)))));
  }
}

void SparseConv::Impl::BuildKinds() {
  const int64_t rest_rows = plan.form.rows - (plan.grid_rows() - 1) * plan.tile.rows;
  const int64_t rest_columns = plan.form.columns - (plan.grid_columns() - 1) * plan.tile.columns;
  for (int last_row = 0; last_row < 2; ++last_row) {
    for (int last_column = 0; last_column < 2; ++last_column) {
      const TileSize size{last_row != 0 ? rest_rows : plan.tile.rows,
                          last_column != 0 ? rest_columns : plan.tile.columns};
      kinds[last_row][last_column] = BuildKind(size, last_column != 0);
    }
  }
  int64_t vectors = 0;
  for (const RegisterTile& tile : kinds[0][0].tiles) vectors += tile.vectors;
  spill_bytes = RoundUp(vectors * group_channels() * plan.form.floats * kFloat, kLine);
  if (!plan.packed) return;
  pack_bytes =
      RoundUp(layout.block_channels * plan.channel_slots() * plan.form.floats * kFloat, kLine);
  // What the moves are rounded up to is written, too.
  pack_bytes = std::max(pack_bytes, moves_bytes / static_cast<int64_t>(sizeof(TileMove)) * kLine);
  rows_bytes = RoundUp(PackRows(plan) * static_cast<int64_t>(sizeof(PackRow)), kLine);
}

TileKind SparseConv::Impl::BuildKind(TileSize size, bool last_column) {
  TileKind kind{size, {}};
  const TileSize step = plan.register_tile;
  const int rest = static_cast<int>(group_channels() % layout.rows);
  int64_t spill = 0;
  for (int64_t row = 0; row < size.rows; row += step.rows) {
    for (int64_t column = 0; column < size.columns; column += step.columns) {
      const TileSize part{std::min(step.rows, size.rows - row),
                          std::min(step.columns, size.columns - column)};
      const bool masked =
          last_column && plan.form.tail != 0 && column + part.columns == size.columns;
      RegisterTile tile;
      tile.body = Kernel(layout.rows, part, masked);
      if (rest > 0) tile.rest = Kernel(rest, part, masked);
      tile.vectors = part.rows * part.columns * plan.form.per_position;
      tile.in = plan.UnitSlot(row, column) * plan.form.floats;
      tile.out = plan.UnitOffset(plan.geometry.OutShape(), row, column);
      tile.residual = plan.UnitOffset(plan.geometry.ResidualShape(), row, column);
      tile.spill = spill;
      spill += tile.vectors * group_channels() * plan.form.floats;
      kind.tiles.push_back(tile);
    }
  }
  return kind;
}

TileKernelSpec SparseConv::Impl::Spec(int rows, TileSize size, bool masked) const {
  const ConvGeometry& g = plan.geometry;
  const VectorForm& form = plan.form;
  const int64_t vector_bytes = form.floats * kFloat;
  TileKernelSpec spec;
  spec.rows = rows;
  spec.taps = variant.taps;
  spec.vector_floats = form.floats;
  spec.parts = form.parts;
  spec.mask_floats = masked ? form.tail : 0;
  spec.dense = variant.dense;
  for (int64_t row = 0; row < size.rows; ++row) {
    for (int64_t column = 0; column < size.columns; ++column) {
      for (int i = 0; i < form.per_position; ++i) {
        const auto bytes = [&](const LaneShape& shape) {
          return static_cast<int32_t>((plan.UnitOffset(shape, row, column) + i * form.floats) *
                                      kFloat);
        };
        spec.vectors.push_back(
            {static_cast<int32_t>((plan.UnitSlot(row, column) + i) * vector_bytes),
             bytes(g.OutShape()), bytes(g.ResidualShape()), masked && column + 1 == size.columns});
      }
    }
  }
  if (variant.taps > 1) {
    const int64_t tap = layout.taps_along_width ? plan.TapSlot(0, 1) : plan.TapSlot(1, 0);
    spec.tap_in = static_cast<int32_t>(tap * vector_bytes);
  }
  spec.out_pair = static_cast<int32_t>(plan.PairOffset(g.OutShape()) * kFloat);
  spec.residual_pair = static_cast<int32_t>(plan.PairOffset(g.ResidualShape()) * kFloat);
  spec.column_bytes =
      static_cast<int32_t>(plan.packed ? vector_bytes : g.InShape().plane_stride() * kFloat);
  spec.out_stride = g.OutShape().plane_stride() * kFloat;
  spec.residual_stride = g.ResidualShape().plane_stride() * kFloat;
  spec.in_prefetches = in_prefetch.per_group;
  spec.out_prefetches = out_prefetch[0].per_group;
  spec.prefetch_residual = epilogue.add_residual && g.residual_halo == g.out_halo;
  if (rows == layout.rows) spec.value_prefetches = value_prefetches;
  spec.moves = moves;
  spec.move_pair = moves > 0 ? MovePair(plan) : 0;
  spec.epilogue = epilogue;
  return spec;
}

const TileKernel* SparseConv::Impl::Kernel(int rows, TileSize size, bool masked) {
  const TileKernelSpec spec = Spec(rows, size, masked);
  for (const auto& [known, kernel] : kernels) {
    if (known == spec) return kernel.get();
  }
  kernels.emplace_back(spec, MakeTileKernel(spec, variant.isa));
  return kernels.back().second.get();
}

/// With several threads, tiles are cut by output channels until they spread evenly.
void SparseConv::Impl::ChooseParts() {
  const int64_t tiles =
      plan.image_groups * plan.geometry.groups * plan.grid_rows() * plan.grid_columns();
  const int64_t row_groups = streams[0].row_groups();
  constexpr double kIdle = 0.1;  // of the threads' time
  for (parts = 1; parts < row_groups && threads > 1; ++parts) {
    const int64_t count = tiles * parts;
    const double busy = static_cast<double>(count) / (CeilDiv(count, threads) * threads);
    if (busy >= 1 - kIdle) break;
  }
  items = tiles * parts;
}

}  // namespace sparsify

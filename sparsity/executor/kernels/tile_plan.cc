#include "sparsity/executor/kernels/tile_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "sparsity/base/rounding.h"

namespace sparsify {
namespace {

ConvGeometry Flatten(const ConvGeometry& geometry, int vector_floats) {
  ConvGeometry flat = geometry;
  flat.batch = geometry.InShape().groups() * vector_floats;
  flat.lanes = vector_floats;
  flat.in_h = flat.out_h = 1;
  flat.in_w = flat.out_w = geometry.InShape().plane_stride() / vector_floats;
  return flat;
}

/// One lane: wide runs of one row, or narrower ones of two rows, whichever wastes less.
VectorForm PositionForm(const ConvGeometry& g, int floats) {
  VectorForm wide{.floats = floats, .positions = floats};
  wide.rows = g.out_h;
  wide.columns = CeilDiv(g.out_w, floats);
  VectorForm paired{.floats = floats, .parts = 2, .positions = floats / 2};
  paired.rows = CeilDiv(g.out_h, 2);
  paired.columns = CeilDiv(g.out_w, paired.positions);
  paired.pair_dy = g.out_h - paired.rows;
  const bool pair = floats == 16 && paired.rows * paired.columns < wide.rows * wide.columns;
  VectorForm form = pair ? paired : wide;
  form.tail = static_cast<int>(g.out_w % form.positions);
  return form;
}

VectorForm FormOf(const ConvGeometry& g, int floats) {
  if (g.lanes == 1) return PositionForm(g, floats);
  VectorForm form{.floats = floats};
  form.rows = g.out_h;
  form.columns = g.out_w;
  if (g.lanes > floats) form.per_position = g.lanes / floats;
  if (g.lanes >= floats) return form;
  form.parts = 2;
  if (g.out_h % 2 == 0 || (g.out_w % 2 != 0 && g.out_h >= g.out_w)) {
    form.rows = CeilDiv(g.out_h, 2);
    form.pair_dy = g.out_h - form.rows;
  } else {
    form.columns = CeilDiv(g.out_w, 2);
    form.pair_dx = g.out_w - form.columns;
  }
  return form;
}

/// The step that both strides between units and taps between kernel positions are multiples of.
int64_t CommonStep(bool several_units, int64_t stride, bool several_taps, int64_t dilation) {
  const int64_t step = std::gcd(several_units ? stride : 0, several_taps ? dilation : 0);
  return std::max<int64_t>(step, 1);
}

void PlanSlots(TilePlan& plan) {
  const ConvGeometry& g = plan.geometry;
  plan.row_step = CommonStep(plan.tile.rows > 1, g.stride_h, g.kernel_h > 1, g.dilation_h);
  plan.slot_rows =
      ((plan.tile.rows - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h) / plan.row_step + 1;
  if (g.lanes == 1) {
    plan.shifts = g.kernel_w;
    plan.slot_columns = plan.tile.columns;
    return;
  }
  plan.column_step = CommonStep(plan.tile.columns > 1, g.stride_w, g.kernel_w > 1, g.dilation_w);
  plan.slot_columns =
      ((plan.tile.columns - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w) / plan.column_step +
      1;
}

/// The rectangle of at most `units` units that cuts `grid` into the fewest tiles and, among
/// those, reads the least input.
TileSize BestTile(const TilePlan& base, const TileSize& grid, int64_t units) {
  TileSize best;
  int64_t best_count = std::numeric_limits<int64_t>::max();
  int64_t best_bytes = best_count;
  for (int64_t columns = 1; columns <= std::min(units, grid.columns); ++columns) {
    TileSize size;
    const int64_t rows = std::min(std::max<int64_t>(units / columns, 1), grid.rows);
    const int64_t row_tiles = CeilDiv(grid.rows, rows);
    const int64_t column_tiles = CeilDiv(grid.columns, columns);
    size.rows = CeilDiv(grid.rows, row_tiles);
    size.columns = CeilDiv(grid.columns, column_tiles);
    TilePlan trial = base;
    trial.tile = size;
    PlanSlots(trial);
    const int64_t count = row_tiles * column_tiles;
    const int64_t bytes = trial.tile_channel_bytes();
    if (count < best_count || (count == best_count && bytes <= best_bytes)) {
      best = size;
      best_count = count;
      best_bytes = bytes;
    }
  }
  return best;
}

}  // namespace

int64_t TilePlan::channel_slots() const {
  if (!packed) return geometry.in_w;
  return shifts * slot_rows * slot_columns * form.per_position;
}

int64_t TilePlan::TapSlot(int64_t kh, int64_t kw) const {
  if (!packed) return 0;
  const int64_t row = kh * geometry.dilation_h / row_step;
  if (geometry.lanes == 1) return (kw * slot_rows + row) * slot_columns;
  return (row * slot_columns + kw * geometry.dilation_w / column_step) * form.per_position;
}

int64_t TilePlan::UnitSlot(int64_t row, int64_t column) const {
  if (!packed) return column;
  const int64_t slot_row = row * geometry.stride_h / row_step;
  const int64_t step = geometry.lanes == 1 ? 1 : geometry.stride_w;
  return (slot_row * slot_columns + column * step / column_step) * form.per_position;
}

int64_t TilePlan::tile_channel_bytes() const {
  const int64_t vectors =
      packed ? shifts * slot_rows * slot_columns * form.per_position : tile.columns;
  return vectors * form.floats * static_cast<int64_t>(sizeof(float));
}

int64_t TilePlan::UnitOffset(const LaneShape& shape, int64_t row, int64_t column) const {
  return row * shape.row_stride() + column * form.positions * shape.lanes;
}

int64_t TilePlan::PairOffset(const LaneShape& shape) const {
  return form.pair_dy * shape.row_stride() + form.pair_dx * shape.lanes;
}

bool CanFlatten(const ConvGeometry& g, int vector_floats) {
  return g.kernel_h == 1 && g.kernel_w == 1 && g.stride_h == 1 && g.stride_w == 1 &&
         g.band_of == 0 && g.in_h == g.out_h && g.in_w == g.out_w && g.pad_top == 0 &&
         g.pad_left == 0 && g.in_halo == 0 && g.out_halo == 0 && g.residual_halo == 0 &&
         g.InShape().plane_stride() % vector_floats == 0;
}

TilePlan PlanTiles(const ConvGeometry& geometry, int vector_floats, bool packed, int tile_vectors,
                   int register_vectors) {
  TilePlan plan;
  plan.geometry = packed ? geometry : Flatten(geometry, vector_floats);
  plan.image_groups = geometry.InShape().groups();
  plan.packed = packed;
  plan.form = FormOf(plan.geometry, vector_floats);
  const int64_t per = plan.form.per_position;
  const TileSize grid{plan.form.rows, plan.form.columns};
  plan.tile = BestTile(plan, grid, std::max<int64_t>(tile_vectors / per, 1));
  PlanSlots(plan);
  plan.register_tile = BestTile(plan, plan.tile, std::max<int64_t>(register_vectors / per, 1));
  return plan;
}

}  // namespace sparsify

#include "sparsity/executor/kernels/move_plan.h"

#include <algorithm>
#include <limits>

namespace sparsify {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int kFloats = 16;

/// What the first slot of a tile reads first, in input coordinates.
struct Origin {
  int64_t y;
  int64_t x;
};

/// The floats [0, `positions`) · lanes of a part that exist, as bits; they begin at input (y, x).
uint32_t Existing(const ConvGeometry& g, int64_t y, int64_t x, int64_t positions) {
  if (y < -g.in_halo || y >= g.in_h + g.in_halo) return 0;
  const int64_t first = std::clamp<int64_t>(-g.in_halo - x, 0, positions);
  const int64_t end = std::clamp<int64_t>(g.in_w + g.in_halo - x, first, positions);
  const auto below = [&](int64_t position) {
    return static_cast<uint32_t>((uint64_t{1} << (position * g.lanes)) - 1);
  };
  return below(end) & ~below(first);
}

/// The move of one slot of the first channel, `y` and `x` from the tile's origin.
TileMove MoveOf(const TilePlan& plan, const Origin& origin, int64_t y, int64_t x) {
  const ConvGeometry& g = plan.geometry;
  const VectorForm& form = plan.form;
  const int part_floats = form.part_floats();
  TileMove move;
  move.from = static_cast<int32_t>((y * g.InShape().row_stride() + x * g.lanes) * kFloat);
  move.mask = Existing(g, origin.y + y, origin.x + x, form.positions);
  if (form.parts == 2) {
    const uint32_t second = Existing(g, origin.y + y + form.pair_dy * g.stride_h,
                                     origin.x + x + form.pair_dx * g.stride_w, form.positions);
    move.mask |= second << part_floats;
  }
  return move;
}

}  // namespace

bool CanMove(const TilePlan& plan, int64_t channels, Isa isa) {
  const ConvGeometry& g = plan.geometry;
  if (isa != Isa::kAvx512 || !plan.packed || plan.form.floats != kFloats) return false;
  if (g.lanes == 1 && g.stride_w != 1) return false;
  const int64_t reach = (channels + 1) * g.InShape().plane_stride() * kFloat;
  return reach <= std::numeric_limits<int32_t>::max();
}

int32_t MovePair(const TilePlan& plan) {
  const ConvGeometry& g = plan.geometry;
  const VectorForm& form = plan.form;
  if (form.parts == 1) return 0;
  const int64_t floats =
      form.pair_dy * g.stride_h * g.InShape().row_stride() + form.pair_dx * g.stride_w * g.lanes;
  return static_cast<int32_t>(floats * kFloat);
}

void FillMoves(const TilePlan& plan, int64_t row, int64_t column, int64_t channels, int64_t count,
               TileMove* moves) {
  const ConvGeometry& g = plan.geometry;
  const int64_t positions = plan.form.positions;
  const Origin origin{row * g.stride_h - g.pad_top, column * positions * g.stride_w - g.pad_left};
  const int64_t across = g.lanes == 1 ? positions * g.stride_w : plan.column_step;
  TileMove* to = moves;
  for (int64_t shift = 0; shift < plan.shifts; ++shift) {
    for (int64_t r = 0; r < plan.slot_rows; ++r) {
      for (int64_t c = 0; c < plan.slot_columns; ++c) {
        *to++ = MoveOf(plan, origin, r * plan.row_step, shift * g.dilation_w + c * across);
      }
    }
  }
  const int64_t slots = plan.channel_slots();
  const auto plane = static_cast<int32_t>(g.InShape().plane_stride() * kFloat);
  const int64_t end = channels * slots;
  for (int64_t i = slots; i < end; ++i) {
    moves[i] = {moves[i - slots].from + plane, moves[i - slots].mask};
  }
  std::fill(moves + end, moves + count, TileMove{});
}

}  // namespace sparsify

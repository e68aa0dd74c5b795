#include <string>

#include "sparsity/executor/kernels/move_plan.h"
#include "tests/executor/kernels_support.h"

namespace sparsify {
namespace {

using testing::GuardedLanes;
using testing::MakeGeometry;
using testing::SetOutputSize;

/// The input value that vector `float_index` of what unit (0, 0) of the tile at (row, column)
/// multiplies with tap (kh, kw) of `channel`; found from the definition of a convolution.
float Expected(const TilePlan& plan, const std::vector<float>& x, int64_t unit_row,
               int64_t unit_column, int64_t channel, int64_t kh, int64_t kw, int index) {
  const ConvGeometry& g = plan.geometry;
  const VectorForm& form = plan.form;
  const int part = index / form.part_floats();
  const int within = index % form.part_floats();
  const int64_t image = within % g.lanes;
  const int64_t out_y = unit_row + part * form.pair_dy;
  const int64_t out_x =
      unit_column * form.positions + part * form.pair_dx + (g.lanes == 1 ? within : 0);
  const int64_t y = out_y * g.stride_h - g.pad_top + kh * g.dilation_h;
  const int64_t column = out_x * g.stride_w - g.pad_left + kw * g.dilation_w;
  if (y < 0 || y >= g.in_h || column < 0 || column >= g.in_w) return 0;
  return x[((image * g.in_channels + channel) * g.in_h + y) * g.in_w + column];
}

/// What the moves make of the input, a vector a slot.
std::vector<float> Moved(const TilePlan& plan, const std::vector<TileMove>& moves,
                         const float* base) {
  std::vector<float> slots;
  for (const TileMove& move : moves) {
    for (int i = 0; i < plan.form.floats; ++i) {
      const bool second = i >= plan.form.part_floats();
      const int64_t bytes = move.from + (second ? MovePair(plan) : 0);
      const int64_t at = bytes / 4 + i % plan.form.part_floats();
      slots.push_back((move.mask >> i & 1) != 0 ? base[at] : 0.0F);
    }
  }
  return slots;
}

/// Every tap of every unit of every tile finds its input in the slot where kernels look for it.
void Check(const ConvGeometry& g) {
  SCOPED_TRACE("lanes " + std::to_string(g.lanes) + " halo " + std::to_string(g.in_halo) +
               " stride " + std::to_string(g.stride_h));
  const TilePlan plan = PlanTiles(g, 16, true, 28, 14);
  ASSERT_TRUE(CanMove(plan, g.in_channels, Isa::kAvx512));
  std::vector<float> x(g.batch * g.in_channels * g.in_h * g.in_w);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
  GuardedLanes in(g.InShape());
  in.Fill(x);
  const int64_t slots = plan.channel_slots();
  std::vector<TileMove> moves(g.in_channels * slots + 3, TileMove{1, 1});
  for (int64_t row = 0; row < plan.form.rows; row += plan.tile.rows) {
    for (int64_t column = 0; column < plan.form.columns; column += plan.tile.columns) {
      FillMoves(plan, row, column, g.in_channels, static_cast<int64_t>(moves.size()), moves.data());
      const float* base = in.view().Plane(0, 0) +
                          (row * g.stride_h - g.pad_top) * g.InShape().row_stride() +
                          (column * plan.form.positions * g.stride_w - g.pad_left) * g.lanes;
      const std::vector<float> found = Moved(plan, moves, base);
      const int64_t last_channel = g.in_channels - 1;
      for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
        for (int64_t kw = 0; kw < g.kernel_w; ++kw) {
          for (int i = 0; i < plan.form.floats; ++i) {
            const int64_t slot = last_channel * slots + plan.TapSlot(kh, kw);
            ASSERT_EQ(found[slot * plan.form.floats + i],
                      Expected(plan, x, row, column, last_channel, kh, kw, i))
                << "tile " << row << "," << column << " tap " << kh << "," << kw << " float " << i;
          }
        }
      }
      for (size_t i = moves.size() - 3; i < moves.size(); ++i) EXPECT_EQ(moves[i], TileMove{});
    }
  }
}

TEST(MovePlan, SlotsHoldWhatTheTapsRead) {
  for (const int lanes : {1, 8, 16}) {
    for (const int halo : {0, 1}) {
      for (const int64_t stride : {1, 2}) {
        if (lanes == 1 && stride == 2) continue;
        ConvGeometry g = MakeGeometry(lanes, 3, 4, 13, 3, stride, 1, lanes);
        g.in_w = 11;
        g.in_halo = halo;
        SetOutputSize(g);
        Check(g);
      }
    }
  }
}

TEST(MovePlan, RefusesWhatKernelsCannotCopy) {
  ConvGeometry g = MakeGeometry(1, 3, 4, 12, 3, 2, 1, 1);
  const TilePlan strided = PlanTiles(g, 16, true, 28, 14);
  EXPECT_FALSE(CanMove(strided, 3, Isa::kAvx512));
  g = MakeGeometry(8, 3, 4, 12, 3, 1, 1, 8);
  const TilePlan plan = PlanTiles(g, 16, true, 28, 14);
  EXPECT_TRUE(CanMove(plan, 3, Isa::kAvx512));
  EXPECT_FALSE(CanMove(plan, 3, Isa::kAvx2));
  EXPECT_FALSE(CanMove(plan, int64_t{1} << 31, Isa::kAvx512));
}

}  // namespace
}  // namespace sparsify

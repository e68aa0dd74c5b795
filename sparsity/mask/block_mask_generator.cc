#include "sparsity/mask/block_mask_generator.h"

#include "sparsity/base/error.h"
#include "sparsity/base/rounding.h"
#include "sparsity/mask/selection.h"
#include "sparsity/mask/weight_layout.h"

namespace sparsify {
namespace {

// The grid of blocks over one weight, numbered by (block row, block column, tap).
struct Grid {
  Grid(const WeightLayout& weight, int64_t bo, int64_t bi, int64_t groups)
      : layout(weight),
        block_outputs(bo),
        block_inputs(bi),
        group_outputs(groups > 0 && weight.outputs % groups == 0 ? weight.outputs / groups
                                                                 : weight.outputs),
        rows_per_group(CeilDiv(group_outputs, bo)),
        columns(CeilDiv(weight.inputs, bi)) {}

  int64_t Rows() const {
    return group_outputs == 0 ? 0 : layout.outputs / group_outputs * rows_per_group;
  }
  int64_t Count() const { return Rows() * columns * layout.taps; }
  int64_t Row(int64_t o) const {
    return o / group_outputs * rows_per_group + o % group_outputs / block_outputs;
  }

  /// Calls visit(flat index, block) for every weight, in flat order.
  template <class Visit>
  void ForEach(const Visit& visit) const {
    int64_t at = 0;
    for (int64_t o = 0; o < layout.outputs; ++o) {
      const int64_t row = Row(o) * columns;
      for (int64_t i = 0; i < layout.inputs; ++i) {
        const int64_t block = (row + i / block_inputs) * layout.taps;
        for (int64_t k = 0; k < layout.taps; ++k) visit(at++, static_cast<size_t>(block + k));
      }
    }
  }

  WeightLayout layout;
  int64_t block_outputs;
  int64_t block_inputs;
  int64_t group_outputs;
  int64_t rows_per_group;
  int64_t columns;
};

}  // namespace

BlockMaskGenerator::BlockMaskGenerator(const BlockMaskOptions& options) : options_(options) {
  if (options_.block.size() != 2 || options_.block[0] < 1 || options_.block[1] < 1) {
    FailUsage("mask_generator.kwargs.block",
              "needs two positive numbers, [output channels, input channels], e.g. [1, 4]");
  }
}

Mask BlockMaskGenerator::Generate(const Tensor& weight, double sparsity,
                                  const MaskContext& context) const {
  const WeightLayout layout = CheckedLayout(weight, sparsity, context);
  const Grid grid(layout, options_.block[0], options_.block[1], context.groups);
  std::vector<double> scores(static_cast<size_t>(grid.Count()), 0);
  grid.ForEach([&](int64_t at, size_t block) {
    const double w = weight[at];
    scores[block] += w * w;
  });
  const auto pruned = SmallestScores(scores, PruneCount(grid.Count(), sparsity));
  Mask mask(weight.shape());
  grid.ForEach([&](int64_t at, size_t block) {
    if (pruned[block]) mask.Set(at, false);
  });
  return mask;
}

double BlockMaskGenerator::Achievable(const Shape& weight, double sparsity,
                                      const MaskContext& context) const {
  const Grid grid(LayoutOf(weight, context.layer_name), options_.block[0], options_.block[1],
                  context.groups);
  const int64_t count = grid.Count();
  if (count == 0) return 0;
  return static_cast<double>(PruneCount(count, sparsity)) / static_cast<double>(count);
}

}  // namespace sparsify

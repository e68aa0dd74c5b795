#include "sparsity/mask/normal_mask_generator.h"

#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/mask/selection.h"
#include "sparsity/mask/weight_layout.h"

namespace sparsify {
namespace {

std::vector<double> FilterNorms(const Tensor& weight, const WeightLayout& layout, bool squared) {
  std::vector<double> norms(static_cast<size_t>(layout.outputs), 0);
  const int64_t filter = layout.FilterSize();
  for (int64_t i = 0; i < layout.size(); ++i) {
    const double w = std::abs(static_cast<double>(weight[i]));
    norms[static_cast<size_t>(i / filter)] += squared ? w * w : w;
  }
  return norms;
}

// What |w| of each output channel is multiplied with: 1/rms, or 1 for a channel of zeros.
std::vector<float> RowScales(const Tensor& weight, const WeightLayout& layout, bool normalized) {
  std::vector<float> scales(static_cast<size_t>(layout.outputs), 1.0F);
  if (!normalized) return scales;
  const std::vector<double> squares = FilterNorms(weight, layout, true);
  for (size_t o = 0; o < scales.size(); ++o) {
    const double rms = std::sqrt(squares[o] / static_cast<double>(layout.FilterSize()));
    if (rms > 0) scales[o] = static_cast<float>(1 / rms);
  }
  return scales;
}

// Calls visit(flat index, metric) for every weight, in order.
template <class Visit>
void ForEachMetric(const Tensor& weight, const WeightLayout& layout,
                   const std::vector<float>& scales, const Visit& visit) {
  int64_t i = 0;
  for (const float scale : scales) {
    const int64_t end = i + layout.FilterSize();
    for (; i < end; ++i) visit(i, std::abs(weight[i]) * scale);
  }
}

}  // namespace

NormalMaskGenerator::NormalMaskGenerator(const NormalMaskOptions& options) : options_(options) {
  if (options_.func != "p1" && options_.func != "p2") {
    FailUsage("mask_generator.kwargs.func", "\"{}\" is neither p1 nor p2", options_.func);
  }
  if (options_.structured && options_.row_normalized) {
    FailUsage("mask_generator.kwargs.row_normalized",
              "makes every filter equal when structured is true; turn one of them off");
  }
}

Mask NormalMaskGenerator::Generate(const Tensor& weight, double sparsity,
                                   const MaskContext& context) const {
  const WeightLayout layout = CheckedLayout(weight, sparsity, context);
  if (options_.structured) {
    const auto norms = FilterNorms(weight, layout, options_.func == "p2");
    return FilterMask(weight.shape(), SmallestScores(norms, PruneCount(layout.outputs, sparsity)));
  }
  Mask mask(weight.shape());
  const std::vector<float> scales = RowScales(weight, layout, options_.row_normalized);
  Threshold threshold = FindThreshold(PruneCount(layout.size(), sparsity), [&](const auto& visit) {
    ForEachMetric(weight, layout, scales, [&](int64_t, float metric) { visit(metric); });
  });
  ForEachMetric(weight, layout, scales, [&](int64_t i, float metric) {
    if (metric < threshold.value || (metric == threshold.value && threshold.ties-- > 0)) {
      mask.Set(i, false);
    }
  });
  return mask;
}

double NormalMaskGenerator::Achievable(const Shape& weight, double sparsity,
                                       const MaskContext& /*context*/) const {
  if (options_.structured) return AchievableByFilters(weight, sparsity);
  const int64_t count = weight.NumElements();
  if (count == 0) return 0;
  return static_cast<double>(PruneCount(count, sparsity)) / static_cast<double>(count);
}

}  // namespace sparsify

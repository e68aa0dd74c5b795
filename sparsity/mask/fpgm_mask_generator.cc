#include "sparsity/mask/fpgm_mask_generator.h"

#include <Eigen/Core>
#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/selection.h"
#include "sparsity/mask/weight_layout.h"

namespace sparsify {
namespace {

using Filter = Eigen::Map<const Eigen::ArrayXf>;
using Distance = double (*)(const Filter&, const Filter&);

double L1(const Filter& a, const Filter& b) {
  return (a.cast<double>() - b.cast<double>()).abs().sum();
}

double L2(const Filter& a, const Filter& b) {
  return std::sqrt((a.cast<double>() - b.cast<double>()).square().sum());
}

double Cosine(const Filter& a, const Filter& b) {
  const double norms =
      std::sqrt(a.cast<double>().square().sum()) * std::sqrt(b.cast<double>().square().sum());
  return norms == 0 ? 0 : 1 - (a.cast<double>() * b.cast<double>()).sum() / norms;
}

Distance FindDistance(const std::string& name) {
  if (name == "l1") return L1;
  if (name == "l2") return L2;
  if (name == "cos") return Cosine;
  FailUsage("mask_generator.kwargs.distance", "unknown \"{}\"; known: l1, l2, cos", name);
}

}  // namespace

FpgmMaskGenerator::FpgmMaskGenerator(const FpgmMaskOptions& options) : options_(options) {
  FindDistance(options_.distance);
}

Mask FpgmMaskGenerator::Generate(const Tensor& weight, double sparsity,
                                 const MaskContext& context) const {
  const WeightLayout layout = CheckedLayout(weight, sparsity, context);
  const Distance distance = FindDistance(options_.distance);
  std::vector<double> scores(static_cast<size_t>(layout.outputs), 0);
  const auto filter = [&](int64_t o) {
    return Filter(weight.data() + o * layout.FilterSize(), layout.FilterSize());
  };
  // Each sum runs over the filters in order, so it does not depend on the threads.
  ParallelFor(layout.outputs, [&](int64_t a) {
    double sum = 0;
    for (int64_t b = 0; b < layout.outputs; ++b) {
      if (b != a) sum += distance(filter(a), filter(b));
    }
    scores[static_cast<size_t>(a)] = sum;
  });
  return FilterMask(weight.shape(), SmallestScores(scores, PruneCount(layout.outputs, sparsity)));
}

double FpgmMaskGenerator::Achievable(const Shape& weight, double sparsity,
                                     const MaskContext& /*context*/) const {
  return AchievableByFilters(weight, sparsity);
}

}  // namespace sparsify

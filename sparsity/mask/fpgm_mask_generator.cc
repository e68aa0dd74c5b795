#include "sparsity/mask/fpgm_mask_generator.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/mask/selection.h"
#include "sparsity/mask/weight_layout.h"

namespace sparsify {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Filters = Eigen::Map<const RowMajor>;

constexpr int64_t kPanel = 128;  // filters converted to double at a time

enum class Distance { kL1, kL2, kCosine };

Distance FindDistance(const std::string& name) {
  if (name == "l1") return Distance::kL1;
  if (name == "l2") return Distance::kL2;
  if (name == "cos") return Distance::kCosine;
  FailUsage("mask_generator.kwargs.distance", "unknown \"{}\"; known: l1, l2, cos", name);
}

double L1(const Filters& filters, int64_t a, int64_t b) {
  return (filters.row(a).cast<double>() - filters.row(b).cast<double>()).cwiseAbs().sum();
}

// From the inner products where they are accurate; near filters are subtracted instead.
double L2(const Filters& filters, int64_t a, int64_t b, double dot, double aa, double bb) {
  const double squared = aa + bb - 2 * dot;
  if (squared > 1e-6 * (aa + bb)) return std::sqrt(squared);
  return (filters.row(a).cast<double>() - filters.row(b).cast<double>()).norm();
}

double Cosine(double dot, double aa, double bb) {
  if (aa == 0 || bb == 0) return 0;
  const double distance = 1 - dot / std::sqrt(aa * bb);
  return distance < 1e-13 ? 0 : distance;  // parallel to rounding
}

// Σ of the distances of every filter to the others; each pair is measured once.
class DistanceSums {
 public:
  DistanceSums(const Filters& filters, Distance distance)
      : filters_(filters),
        distance_(distance),
        squares_(filters.cast<double>().rowwise().squaredNorm()),
        sums_(static_cast<size_t>(filters.rows()), 0) {}

  std::vector<double> Compute() {
    for (int64_t a = 0; a < filters_.rows(); a += kPanel) {
      for (int64_t b = 0; b <= a; b += kPanel) AddPanels(a, b);
    }
    return std::move(sums_);
  }

 private:
  int64_t Width(int64_t first) const { return std::min(kPanel, filters_.rows() - first); }

  void AddPanels(int64_t first_a, int64_t first_b) {
    Eigen::MatrixXd dots;
    if (distance_ != Distance::kL1) {
      dots = filters_.middleRows(first_a, Width(first_a)).cast<double>() *
             filters_.middleRows(first_b, Width(first_b)).cast<double>().transpose();
    }
    for (int64_t a = first_a; a < first_a + Width(first_a); ++a) {
      for (int64_t b = first_b; b < std::min(a, first_b + Width(first_b)); ++b) {
        const double dot = dots.size() == 0 ? 0 : dots(a - first_a, b - first_b);
        const double d = Measure(a, b, dot);
        sums_[static_cast<size_t>(a)] += d;
        sums_[static_cast<size_t>(b)] += d;
      }
    }
  }

  double Measure(int64_t a, int64_t b, double dot) const {
    switch (distance_) {
      case Distance::kL1:
        return L1(filters_, a, b);
      case Distance::kL2:
        return L2(filters_, a, b, dot, squares_[a], squares_[b]);
      case Distance::kCosine:
        return Cosine(dot, squares_[a], squares_[b]);
    }
    return 0;
  }

  Filters filters_;
  Distance distance_;
  Eigen::VectorXd squares_;
  std::vector<double> sums_;
};

}  // namespace

FpgmMaskGenerator::FpgmMaskGenerator(const FpgmMaskOptions& options) : options_(options) {
  FindDistance(options_.distance);
}

Mask FpgmMaskGenerator::Generate(const Tensor& weight, double sparsity,
                                 const MaskContext& context) const {
  const WeightLayout layout = CheckedLayout(weight, sparsity, context);
  const Filters filters(weight.data(), layout.outputs, layout.FilterSize());
  const auto sums = DistanceSums(filters, FindDistance(options_.distance)).Compute();
  return FilterMask(weight.shape(), SmallestScores(sums, PruneCount(layout.outputs, sparsity)));
}

double FpgmMaskGenerator::Achievable(const Shape& weight, double sparsity,
                                     const MaskContext& /*context*/) const {
  return AchievableByFilters(weight, sparsity);
}

}  // namespace sparsify

#include "sparsity/mask/nuclear_mask_generator.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "sparsity/base/error.h"
#include "sparsity/mask/selection.h"
#include "sparsity/mask/weight_layout.h"

namespace sparsify {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Map = Eigen::Map<const RowMajor>;

constexpr int64_t kPanel = 256;  // rows or columns converted to double at a time
constexpr double kStep = 0.3;    // of the quadrature in log x: exact to exp(−π²/0.3) = 5e-15
constexpr int kNodes = 110;      // each way: x from e^−33 to e^33 times the largest σ

// A = U Σ Vᵀ reduced to what the drops need: λ = σ² > 0 and the squares of U's entries.
struct LeftSpectrum {
  Eigen::VectorXd lambda;  // r
  Eigen::MatrixXd share;   // rows × r: u_ij²
  Eigen::VectorXd null;    // rows: what is left of 1, the share of λ = 0
};

// A·Aᵀ or Aᵀ·A, whichever is smaller, in double.
Eigen::MatrixXd SmallGram(const Map& a) {
  const bool by_rows = a.rows() <= a.cols();
  const int64_t size = std::min(a.rows(), a.cols());
  const int64_t length = std::max(a.rows(), a.cols());
  Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(size, size);
  for (int64_t at = 0; at < length; at += kPanel) {
    const int64_t width = std::min(kPanel, length - at);
    const Eigen::MatrixXd panel =
        by_rows ? Eigen::MatrixXd(a.middleCols(at, width).cast<double>())
                : Eigen::MatrixXd(a.middleRows(at, width).cast<double>().transpose());
    gram.selfadjointView<Eigen::Lower>().rankUpdate(panel);
  }
  return gram;
}

LeftSpectrum Decompose(const Map& a) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(SmallGram(a));
  if (solver.info() != Eigen::Success) {
    Fail("nuclear norm", "the eigenvalues of a {}x{} weight did not converge", a.rows(), a.cols());
  }
  const Eigen::VectorXd& all = solver.eigenvalues();  // ascending
  const double rounding = std::numeric_limits<double>::epsilon() * static_cast<double>(all.size()) *
                          std::max(0.0, all[all.size() - 1]);
  int64_t rank = 0;
  while (rank < all.size() && all[all.size() - 1 - rank] > rounding) ++rank;
  LeftSpectrum spectrum;
  spectrum.lambda = all.tail(rank);
  const auto vectors = solver.eigenvectors().rightCols(rank);
  if (a.rows() <= a.cols()) {
    spectrum.share = vectors.cwiseAbs2();
    spectrum.null = solver.eigenvectors().leftCols(all.size() - rank).rowwise().squaredNorm();
  } else {
    spectrum.share =
        (a.cast<double>() * vectors).cwiseAbs2() * spectrum.lambda.cwiseInverse().asDiagonal();
    spectrum.null = (1 - spectrum.share.rowwise().sum().array()).max(0.0);
  }
  return spectrum;
}

Eigen::ArrayXd QuadratureNodes(double scale) {
  return scale *
         Eigen::exp(Eigen::ArrayXd::LinSpaced(2 * kNodes + 1, -kNodes * kStep, kNodes * kStep));
}

}  // namespace

// With G = A·Aᵀ, and G_i without row and column i, Jacobi's identity gives
// det(G_i + t)/det(G + t) = [(G + t)⁻¹]_ii = Σ_j u_ij²/(λ_j + t), and
// √λ = (1/2π) ∫ log(1 + λ/t) t^(−1/2) dt turns the determinants into nuclear norms:
//   drop_i = −(1/π) ∫₀^∞ log(Σ_j u_ij² x²/(λ_j + x²)) dx, null space (λ_j = 0) included.
// In y = log x the integrand is analytic within |Im y| < π/2, so the trapezoidal rule of
// step h is exact to exp(−π²/h).
std::vector<double> NuclearNormDrops(const float* matrix, int64_t rows, int64_t columns) {
  std::vector<double> drops(static_cast<size_t>(rows), 0);
  if (rows == 0 || columns == 0) return drops;
  const LeftSpectrum spectrum = Decompose(Map(matrix, rows, columns));
  if (spectrum.lambda.size() == 0) return drops;
  const Eigen::ArrayXd nodes = QuadratureNodes(std::sqrt(spectrum.lambda.maxCoeff()));
  const Eigen::ArrayXXd lambda = spectrum.lambda.array().replicate(1, nodes.size());
  const Eigen::ArrayXXd squares = nodes.square().transpose().replicate(spectrum.lambda.size(), 1);
  // gone + rest = 1; the logarithm takes the one that is accurate.
  const Eigen::MatrixXd gone = spectrum.share * (lambda / (lambda + squares)).matrix();
  Eigen::MatrixXd rest = spectrum.share * (squares / (lambda + squares)).matrix();
  rest.colwise() += spectrum.null;
  for (int64_t i = 0; i < rows; ++i) {
    double integral = 0;
    for (int64_t n = 0; n < nodes.size(); ++n) {
      const double log = gone(i, n) < 0.5 ? std::log1p(-gone(i, n)) : std::log(rest(i, n));
      integral -= log * nodes[n];
    }
    drops[static_cast<size_t>(i)] = integral * kStep / std::numbers::pi;
  }
  return drops;
}

Mask NuclearMaskGenerator::Generate(const Tensor& weight, double sparsity,
                                    const MaskContext& context) const {
  const WeightLayout layout = CheckedLayout(weight, sparsity, context);
  const auto drops = NuclearNormDrops(weight.data(), layout.outputs, layout.FilterSize());
  return FilterMask(weight.shape(), SmallestScores(drops, PruneCount(layout.outputs, sparsity)));
}

double NuclearMaskGenerator::Achievable(const Shape& weight, double sparsity,
                                        const MaskContext& /*context*/) const {
  return AchievableByFilters(weight, sparsity);
}

}  // namespace sparsify

#include "reconstruction/second_order/activation_fit.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "sparsity/base/interrupt.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

using FloatRows = Eigen::Map<FloatMatrix>;
using FloatVector = Eigen::VectorXf;

float BehindActivation(float x, const ValueRange& range) {
  return std::clamp(x, range.low, range.high);
}

// One number for each row and column, and for each row's bias.
struct Rows {
  FloatMatrix weights;
  FloatVector bias;
};

class GroupFit {
 public:
  // `project` is 1 where a weight stays, else 0.
  GroupFit(const LayerSamples& samples, Moments moments, FloatMatrix given, FloatMatrix project,
           const ValueRange& range, const ActivationFitOptions& options)
      : samples_(samples),
        range_(range),
        options_(options),
        all_given_(std::move(given)),
        all_project_(std::move(project)),
        input_mean_(moments.input_mean.cast<float>()) {
    const double mean_diagonal = moments.covariance.diagonal().mean();
    const double lambda = mean_diagonal > 0 ? options.damping * mean_diagonal : 1.0;
    lambda_ = static_cast<float>(lambda);
    Matrix& inverse = moments.covariance;
    inverse.diagonal().array() += lambda;
    is_solvable_ = InvertSymmetric(inverse);
    inverse_ = inverse.cast<float>();
    for (const SampleBlock& block : samples.fit) count_ += static_cast<float>(block.count);
    active_.resize(samples.fit.size());
  }

  /// Why nothing can be fitted, or empty.
  std::string Obstacle() const {
    if (count_ == 0 || samples_.held_back.empty()) return "fewer than eight images to judge it by";
    return is_solvable_ ? "" : "the covariance of its inputs has no inverse; raise damping";
  }

  /// The rows of the group that Run and HeldBackError take, in this order.
  void Choose(std::vector<int64_t> chosen) {
    chosen_ = std::move(chosen);
    given_ = all_given_(chosen_, Eigen::all);
    project_ = all_project_(chosen_, Eigen::all);
  }

  void Run(Rows& rows) {
    Rows gradient;
    Vector loss = Evaluate(rows, &gradient);
    for (int step = 0; step < options_.newton_steps; ++step) {
      Rows next = NewtonStep(gradient);
      next.weights += rows.weights;
      next.bias += rows.bias;
      const bool is_last = step + 1 == options_.newton_steps;
      Rows next_gradient;
      const Vector next_loss = Evaluate(next, is_last ? nullptr : &next_gradient);
      for (int64_t r = 0; r < loss.size(); ++r) {
        if (!(next_loss[r] < loss[r])) continue;  // a NaN is no gain
        loss[r] = next_loss[r];
        rows.weights.row(r) = next.weights.row(r);
        rows.bias[r] = next.bias[r];
        if (is_last) continue;
        gradient.weights.row(r) = next_gradient.weights.row(r);
        gradient.bias[r] = next_gradient.bias[r];
      }
    }
  }

  /// Mean squared error of each row behind the activation, of the samples held back.
  Vector HeldBackError(const Rows& rows) const {
    Vector sum = Vector::Zero(rows.bias.size());
    double count = 0;
    FloatMatrix outputs;
    for (const SampleBlock& block : samples_.held_back) {
      Outputs(rows, block, outputs);
      ParallelFor(sum.size(), [&](int64_t r) {
        const float* target = Targets(block, r);
        for (int64_t s = 0; s < block.count; ++s) {
          const double difference =
              BehindActivation(outputs(r, s), range_) - BehindActivation(target[s], range_);
          sum[r] += difference * difference;
        }
      });
      count += static_cast<double>(block.count);
    }
    return sum / count;
  }

 private:
  const float* Targets(const SampleBlock& block, int64_t row) const {
    return block.targets.data() + chosen_[static_cast<size_t>(row)] * block.count;
  }

  static void Outputs(const Rows& rows, const SampleBlock& block, FloatMatrix& outputs) {
    outputs.resize(rows.weights.rows(), block.count);
    FloatMultiply(rows.weights.data(), rows.weights.rows(), block.inputs.data(), block.count,
                  rows.weights.cols(), outputs.data());
    outputs.colwise() += rows.bias;
  }

  // to += values · inputsᵀ and the sums of the values.
  static void AddProducts(const FloatMatrix& values, const SampleBlock& block, FloatMatrix& product,
                          Rows& to) {
    product.resize(to.weights.rows(), to.weights.cols());
    FloatProduct(values.data(), values.rows(), block.inputs.data(), product.cols(), block.count,
                 block.count, product.data());
    to.weights += product;
    to.bias += values.rowwise().sum();
  }

  Rows Zero() const {
    return {FloatMatrix::Zero(given_.rows(), given_.cols()), FloatVector::Zero(given_.rows())};
  }

  // The objective of each row; with `gradient` half of its gradient, and which samples move it.
  Vector Evaluate(const Rows& rows, Rows* gradient) {
    Vector loss =
        lambda_ *
        (rows.weights - given_).cwiseProduct(project_).cast<double>().rowwise().squaredNorm();
    if (gradient != nullptr) *gradient = Zero();
    FloatMatrix errors;
    FloatMatrix product;
    for (size_t k = 0; k < samples_.fit.size(); ++k) {
      ThrowIfInterrupted();
      const SampleBlock& block = samples_.fit[k];
      Outputs(rows, block, errors);
      if (gradient != nullptr) active_[k].resize(static_cast<size_t>(errors.size()));
      ParallelFor(errors.rows(), [&](int64_t r) {
        const float* target = Targets(block, r);
        double sum = 0;
        for (int64_t s = 0; s < block.count; ++s) {
          const float output = errors(r, s);
          const float error =
              BehindActivation(output, range_) - BehindActivation(target[s], range_);
          const bool inside = output > range_.low && output < range_.high;
          errors(r, s) = inside ? error : 0;
          sum += double{error} * error;
          if (gradient != nullptr) {
            active_[k][static_cast<size_t>(r * block.count + s)] = inside;
          }
        }
        loss[r] += sum / count_;
      });
      if (gradient != nullptr) AddProducts(errors, block, product, *gradient);
    }
    if (gradient != nullptr) Finish(rows.weights - given_, *gradient);
    return loss;
  }

  // Sums become means, and the pull of the damping comes in.
  void Finish(const FloatMatrix& distance, Rows& sums) const {
    sums.weights = (sums.weights / count_ + lambda_ * distance).cwiseProduct(project_);
    sums.bias /= count_;
  }

  // Half the objective's second derivative along `direction`.
  Rows Curvature(const Rows& direction) const {
    Rows result = Zero();
    FloatMatrix values;
    FloatMatrix product;
    for (size_t k = 0; k < samples_.fit.size(); ++k) {
      ThrowIfInterrupted();
      Outputs(direction, samples_.fit[k], values);
      ParallelFor(values.rows(), [&](int64_t r) {
        const uint8_t* active = active_[k].data() + r * values.cols();
        for (int64_t s = 0; s < values.cols(); ++s) values(r, s) *= static_cast<float>(active[s]);
      });
      AddProducts(values, samples_.fit[k], product, result);
    }
    Finish(direction.weights, result);
    return result;
  }

  // As if all samples counted and no weight were pruned, then projected: with H = Cov(x) + λ and
  // the bias eliminated.
  Rows Precondition(const Rows& residual) const {
    Rows result = Zero();
    const FloatMatrix shifted =
        (residual.weights - residual.bias * input_mean_.transpose()).cwiseProduct(project_);
    FloatProduct(shifted.data(), shifted.rows(), inverse_.data(), inverse_.rows(), inverse_.cols(),
                 inverse_.cols(), result.weights.data());
    result.weights = result.weights.cwiseProduct(project_);
    result.bias = residual.bias - result.weights * input_mean_;
    return result;
  }

  static FloatVector Dot(const Rows& a, const Rows& b) {
    return a.weights.cwiseProduct(b.weights).rowwise().sum() + a.bias.cwiseProduct(b.bias);
  }

  static void AddScaled(const FloatVector& factors, const Rows& rows, Rows& to) {
    to.weights += factors.asDiagonal() * rows.weights;
    to.bias += factors.cwiseProduct(rows.bias);
  }

  // A row whose direction has no length left stands still.
  static FloatVector Ratio(const FloatVector& a, const FloatVector& b) {
    return (b.array() > 0).select(a.array() / b.array(), 0.0F);
  }

  Rows NewtonStep(const Rows& gradient) const {
    Rows step = Zero();
    Rows residual = {-gradient.weights, -gradient.bias};
    Rows scaled = Precondition(residual);
    Rows direction = scaled;
    FloatVector energy = Dot(residual, scaled);
    for (int k = 0; k < options_.gradient_steps; ++k) {
      const Rows curved = Curvature(direction);
      const FloatVector length = Ratio(energy, Dot(direction, curved));
      AddScaled(length, direction, step);
      AddScaled(-length, curved, residual);
      scaled = Precondition(residual);
      const FloatVector next = Dot(residual, scaled);
      const FloatVector turn = Ratio(next, energy);
      direction.weights = scaled.weights + turn.asDiagonal() * direction.weights;
      direction.bias = scaled.bias + turn.cwiseProduct(direction.bias);
      energy = next;
    }
    return step;
  }

  const LayerSamples& samples_;
  const ValueRange range_;
  const ActivationFitOptions& options_;
  const FloatMatrix all_given_, all_project_;
  FloatMatrix given_, project_;  // of the chosen rows
  std::vector<int64_t> chosen_;
  const FloatVector input_mean_;
  FloatMatrix inverse_;
  float lambda_ = 0;
  float count_ = 0;
  bool is_solvable_ = false;
  std::vector<std::vector<uint8_t>> active_;  // of each block, rows×samples
};

// Fits some rows of one group of the layer.
class RowsOfGroup {
 public:
  RowsOfGroup(GroupFit& fit, FloatRows weights, Eigen::Map<FloatVector> bias, ActivationFit& result)
      : fit_(fit), weights_(weights), bias_(bias), result_(result) {}

  /// How many took the fit.
  int64_t Fit(const std::vector<int64_t>& rows) {
    if (rows.empty()) return 0;
    fit_.Choose(rows);
    Rows fitted = {weights_(rows, Eigen::all), bias_(rows)};
    const Vector before = fit_.HeldBackError(fitted);
    fit_.Run(fitted);
    const Vector after = fit_.HeldBackError(fitted);
    int64_t improved = 0;
    for (int64_t k = 0; k < std::ssize(rows); ++k) {
      const bool is_better = after[k] < before[k];
      result_.before += before[k];
      result_.after += is_better ? after[k] : before[k];
      if (!is_better) continue;
      ++improved;
      const int64_t row = rows[static_cast<size_t>(k)];
      weights_.row(row) = fitted.weights.row(k);
      bias_[row] = fitted.bias[k];
    }
    result_.tried += std::ssize(rows);
    result_.improved += improved;
    return improved;
  }

 private:
  GroupFit& fit_;
  FloatRows weights_;
  Eigen::Map<FloatVector> bias_;
  ActivationFit& result_;
};

// Every eighth row, or with few rows all; and the others.
std::array<std::vector<int64_t>, 2> SomeFirst(int64_t rows) {
  constexpr int64_t kFew = 128;
  constexpr int64_t kEvery = 8;
  std::array<std::vector<int64_t>, 2> parts;
  for (int64_t row = 0; row < rows; ++row) {
    parts.at(rows < kFew || row % kEvery == 0 ? 0 : 1).push_back(row);
  }
  return parts;
}

}  // namespace

ActivationFit FitBehindActivation(const LayerStatistics& statistics, const Tensor& dense,
                                  const ValueRange& range, const ActivationFitOptions& options,
                                  LayerSolution& layer) {
  CheckGiven(statistics, dense, options.damping);
  CheckGiven(statistics, layer.weight, options.damping);
  constexpr int64_t kWorthwhile = 8;  // of so many outputs tried one gains
  ActivationFit result;
  const int64_t rows = statistics.rows();
  const int64_t columns = statistics.columns();
  for (int64_t group = 0; group < statistics.groups(); ++group) {
    const int64_t first = group * rows;
    FloatRows stored(layer.weight.data() + first * columns, rows, columns);
    Eigen::Map<FloatVector> stored_bias(layer.bias.data() + first, rows);
    FloatMatrix given =
        Eigen::Map<const FloatMatrix>(dense.data() + first * columns, rows, columns);
    FloatMatrix project = GroupMask(statistics, layer.mask, group).cast<float>().matrix();
    const LayerSamples& samples = statistics.Samples(group);
    GroupFit fit(samples, statistics.GroupMoments(group), std::move(given), std::move(project),
                 range, options);
    if (const std::string obstacle = fit.Obstacle(); !obstacle.empty()) {
      result.obstacle = obstacle;
      continue;
    }
    result.rows += rows;
    RowsOfGroup outputs(fit, stored, stored_bias, result);
    const auto [some, others] = SomeFirst(rows);
    const int64_t gained = outputs.Fit(some);
    if (gained * kWorthwhile >= std::ssize(some)) outputs.Fit(others);
  }
  layer.loss = LayerLoss(statistics, layer.weight, &layer.bias);
  return result;
}

}  // namespace sparsify

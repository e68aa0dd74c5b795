#include "schedulers/str_scheduler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "schedulers/masked_rule.h"
#include "schedulers/polynomial_scheduler.h"
#include "schedulers/rule_support.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

constexpr double kRampPower = 3;
constexpr double kLeast = -100;  // of a steered s: α of 4e-44
constexpr double kMost = 16;     // α of 1 − 1e-7

double Sigmoid(double s) { return 1 / (1 + std::exp(-s)); }
double Logit(double alpha) {
  if (alpha <= 0) return kLeast;
  if (alpha >= 1) return kMost;
  return std::clamp(std::log(alpha / (1 - alpha)), kLeast, kMost);
}

Threshold LeastOf(const Tensor& weight, int64_t count) {
  return FindThreshold(count, [&](const auto& visit) {
    for (const float w : weight.values()) visit(std::abs(w));
  });
}

int64_t CountUpTo(const Tensor& weight, double alpha) {
  int64_t count = 0;
  for (const float w : weight.values()) count += std::abs(w) <= alpha;
  return count;
}

class STRRule : public PruningRule {
 public:
  explicit STRRule(const STROptions& options) : options_(options) {}

  std::string_view type() const override { return "STRScheduler"; }

  void Begin(std::span<TrainedWeight> weights, int64_t steps) override {
    steps_ = steps;
    end_ = StepAt(options_.end, steps);
    s_.assign(weights.size(), static_cast<float>(options_.initial));
    steered_.assign(weights.size(), 0);
    known_ = false;
  }

  Prepared Prepare(const StepInfo& info, std::span<TrainedWeight> weights) override {
    if (info.step == 0) known_ = true;
    if (!known_) {
      Fail(type(), "continues at step {} without the state of the steps before it", info.step);
    }
    if (info.step == end_) ProjectAll(weights);
    ParallelFor(std::ssize(weights), [&](int64_t i) {
      TrainedWeight& weight = weights[static_cast<size_t>(i)];
      if (info.step >= end_ || weight.sparsity() == 0) {
        weight.ShowMasked();
      } else {
        Shrink(info.step, static_cast<size_t>(i), weight);
      }
    });
    return {.masks = info.step <= end_};
  }

  bool Backward(const StepInfo& info, std::span<TrainedWeight> weights,
                std::span<Tensor* const> gradients) override {
    MaskGradients(weights, gradients);
    if (info.step >= end_) return true;
    ParallelFor(std::ssize(weights), [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      if (weights[at].sparsity() == 0) return;
      const Tensor& w = weights[at].latent;
      const Tensor& gradient = *gradients[at];
      double sum = 0;
      for (int64_t j = 0; j < w.size(); ++j) sum += std::copysign(1.0F, w[j]) * gradient[j];
      const double alpha = Sigmoid(s_[at]);
      const double slope = -alpha * (1 - alpha) * sum + options_.decay * s_[at];
      s_[at] = static_cast<float>(s_[at] - options_.learning_rate * info.learning_rate * slope);
    });
    return true;
  }

  /// An element below the threshold may come back.
  bool HoldsPruned() const override { return false; }

  void Finish(std::span<TrainedWeight> weights) override {
    if (end_ >= steps_) ProjectAll(weights);
    ShowFinal(type(), weights);
  }

  /// `threshold` holds s, and `steered` the steered steps, of every weight.
  std::map<std::string, Tensor> State() const override {
    const Shape shape = {std::ssize(s_)};
    return {{"threshold", Tensor(shape, s_)}, {"steered", Tensor(shape, steered_)}};
  }

  void SetState(const std::map<std::string, Tensor>& state) override {
    CheckStateSize(type(), state, 2);
    const Shape shape = {std::ssize(s_)};
    const auto s = StateTensor(type(), state, "threshold", shape).values();
    const auto steered = StateTensor(type(), state, "steered", shape).values();
    s_.assign(s.begin(), s.end());
    steered_.assign(steered.begin(), steered.end());
    known_ = true;
  }

 private:
  // α of this step; steering moves s.
  double Alpha(int64_t step, size_t at, const TrainedWeight& weight) {
    const double alpha = Sigmoid(s_[at]);
    if (!options_.steer) return alpha;
    const double way = static_cast<double>(step) / static_cast<double>(end_);
    const double ramp = PolynomialRamp(0, weight.sparsity(), kRampPower, way);
    const int64_t count = CountUpTo(weight.latent, alpha);
    const int64_t allowed = std::clamp(count, PruneCount(weight.latent.size(), ramp),
                                       PruneCount(weight.latent.size(), weight.sparsity()));
    if (allowed == count) return alpha;
    const double edge = LeastOf(weight.latent, allowed).value;
    s_[at] = static_cast<float>(Logit(edge));
    steered_[at] += 1;
    return edge;
  }

  void Shrink(int64_t step, size_t at, TrainedWeight& weight) {
    const double alpha = Alpha(step, at, weight);
    Mask mask(weight.latent.shape());
    for (int64_t j = 0; j < weight.latent.size(); ++j) {
      weight.effective[j] = SoftThreshold(weight.latent[j], alpha);
      if (weight.effective[j] == 0) mask.Set(j, false);
    }
    weight.SetMask(std::move(mask));
  }

  void ProjectAll(std::span<TrainedWeight> weights) {
    for (size_t i = 0; i < weights.size(); ++i) {
      if (weights[i].sparsity() > 0) Project(i, weights[i]);
    }
  }

  void Project(size_t at, TrainedWeight& weight) {
    Tensor& w = weight.latent;
    const double learned = Sigmoid(s_[at]);
    const double below = static_cast<double>(CountUpTo(w, learned));
    Threshold target = LeastOf(w, PruneCount(w.size(), weight.sparsity()));
    const double alpha = std::min(learned, static_cast<double>(target.value));
    Mask mask(w.shape());
    for (int64_t j = 0; j < w.size(); ++j) {
      const float magnitude = std::abs(w[j]);
      if (magnitude < target.value || (magnitude == target.value && target.ties-- > 0)) {
        mask.Set(j, false);
      }
      w[j] = mask[j] ? SoftThreshold(w[j], alpha) : 0.0F;
    }
    PruneZeros(w, mask);
    weight.SetMask(std::move(mask));
    Note("{}: {}: learned {:.2f} % at threshold {:.3g}, target {:.2f} %, steered in {} of {} steps",
         type(), weight.name(), 100 * below / static_cast<double>(w.size()), learned,
         100 * weight.sparsity(), steered_[at], end_);
  }

  STROptions options_;
  int64_t steps_ = 0;
  int64_t end_ = 0;
  bool known_ = false;          // s_ is that of the step to come
  std::vector<float> s_;        // of every weight
  std::vector<float> steered_;  // steps in which s was moved, a whole number
};

}  // namespace

STRScheduler::STRScheduler(const STROptions& options) : options_(options) {
  CheckKwarg("initial", options_.initial, {.min = -1e4, .max = kMost});
  CheckKwarg("learning_rate", options_.learning_rate, {.min = 0});
  CheckKwarg("decay", options_.decay, {.min = 0});
  CheckKwarg("end", options_.end, {.min = 0, .max = 1, .min_open = true});
}

std::unique_ptr<PruningRule> STRScheduler::MakeRule(const RuleContext& context) const {
  if (context.generator && !IsPlainMagnitude(*context.generator)) {
    FailUsage("scheduler.type",
              "STRScheduler prunes single weights below a threshold, which gives no pattern of {}; "
              "take mask_generator.type NormalMaskGenerator, neither structured nor row_normalized",
              context.generator->type());
  }
  return std::make_unique<STRRule>(options_);
}

float SoftThreshold(float w, double alpha) {
  const double rest = std::abs(static_cast<double>(w)) - alpha;
  return rest > 0 ? static_cast<float>(std::copysign(rest, static_cast<double>(w))) : 0.0F;
}

}  // namespace sparsify

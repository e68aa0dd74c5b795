#include "schedulers/admm_scheduler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "schedulers/masked_rule.h"
#include "schedulers/rule_support.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

double SquaredNorm(const Tensor& tensor) {
  double sum = 0;
  for (const float v : tensor.values()) sum += static_cast<double>(v) * v;
  return sum;
}

class ADMMRule : public PruningRule {
 public:
  ADMMRule(const ADMMOptions& options, const RuleContext& context)
      : options_(options), context_(context) {}

  std::string_view type() const override { return "ADMMScheduler"; }

  void Begin(std::span<TrainedWeight> weights, int64_t steps) override {
    steps_ = steps;
    end_ = StepAt(options_.end, steps);
    names_.clear();
    shapes_.clear();
    for (const TrainedWeight& weight : weights) {
      names_.push_back(weight.name());
      shapes_.push_back(weight.latent.shape());
    }
    z_.clear();
    u_.clear();
    if (options_.interval >= end_) {
      Warn("{}: no dual update: interval is {} and end is step {} of {}", type(), options_.interval,
           end_, steps);
    }
  }

  Prepared Prepare(const StepInfo& info, std::span<TrainedWeight> weights) override {
    if (info.step == end_) MakeMasks(weights);
    if (info.step < end_) Split(info.step, weights);
    ParallelFor(std::ssize(weights),
                [&](int64_t i) { weights[static_cast<size_t>(i)].ShowMasked(); });
    return {.masks = info.step == end_};
  }

  bool Backward(const StepInfo& info, std::span<TrainedWeight> weights,
                std::span<Tensor* const> gradients) override {
    if (info.step >= end_) {
      MaskGradients(weights, gradients);
      return true;
    }
    const auto rho = static_cast<float>(options_.rho);
    ParallelFor(std::ssize(weights), [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      const Tensor& w = weights[at].latent;
      Tensor& gradient = *gradients[at];
      for (int64_t j = 0; j < w.size(); ++j) gradient[j] += rho * (w[j] - z_[at][j] + u_[at][j]);
    });
    return true;
  }

  bool HoldsPruned() const override { return true; }  // nothing is pruned below end

  void Finish(std::span<TrainedWeight> weights) override {
    if (end_ >= steps_) MakeMasks(weights);
    ShowFinal(type(), weights);
  }

  /// NAME.z and NAME.u of every weight; nothing from end on.
  std::map<std::string, Tensor> State() const override {
    std::map<std::string, Tensor> state;
    for (size_t i = 0; i < z_.size(); ++i) {
      state[names_[i] + ".z"] = z_[i];
      state[names_[i] + ".u"] = u_[i];
    }
    return state;
  }

  void SetState(const std::map<std::string, Tensor>& state) override {
    if (state.empty()) return;  // from end on
    CheckStateSize(type(), state, 2 * names_.size());
    z_.clear();
    u_.clear();
    for (size_t i = 0; i < names_.size(); ++i) {
      z_.push_back(StateTensor(type(), state, names_[i] + ".z", shapes_[i]));
      u_.push_back(StateTensor(type(), state, names_[i] + ".u", shapes_[i]));
    }
  }

 private:
  // The steps of Z and U that stand before `step`.
  void Split(int64_t step, std::span<TrainedWeight> weights) {
    if (step == 0) {
      z_.resize(weights.size());
      u_.clear();
      for (const Shape& shape : shapes_) u_.emplace_back(shape);
    } else if (z_.size() != weights.size()) {
      Fail(type(), "continues at step {} without the state of the steps before it", step);
    }
    if (step % options_.interval != 0) return;
    ParallelFor(std::ssize(weights), [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      const TrainedWeight& weight = weights[at];
      Tensor sum = weight.latent;
      for (int64_t j = 0; j < sum.size(); ++j) sum[j] += u_[at][j];
      z_[at] = sum;
      ApplyMask(context_.generator->Generate(sum, weight.sparsity(), weight.context()), z_[at]);
      if (step == 0) return;  // U starts at 0
      for (int64_t j = 0; j < sum.size(); ++j) u_[at][j] = sum[j] - z_[at][j];
    });
  }

  void MakeMasks(std::span<TrainedWeight> weights) {
    double all = 0;
    double kept = 0;
    for (TrainedWeight& weight : weights) {
      all += SquaredNorm(weight.latent);
      MakeMask(*context_.generator, weight.sparsity(), weight);
      ZeroPruned(weight);
      kept += SquaredNorm(weight.latent);
    }
    Note("{}: the weights that go at step {} hold {:.3g} % of the norm", type(), end_,
         all > 0 ? 100 * std::sqrt(std::max(0.0, all - kept) / all) : 0.0);
    z_.clear();
    u_.clear();
  }

  ADMMOptions options_;
  RuleContext context_;
  int64_t steps_ = 0;
  int64_t end_ = 0;
  std::vector<std::string> names_;
  std::vector<Shape> shapes_;
  std::vector<Tensor> z_;  // Z of every weight; empty from end on
  std::vector<Tensor> u_;  // U
};

}  // namespace

ADMMScheduler::ADMMScheduler(const ADMMOptions& options) : options_(options) {
  CheckKwarg("rho", options_.rho, {.min = 0, .min_open = true});
  CheckKwarg("interval", static_cast<double>(options_.interval), {.min = 1});
  CheckKwarg("end", options_.end, {.min = 0, .max = 1, .min_open = true});
}

std::unique_ptr<PruningRule> ADMMScheduler::MakeRule(const RuleContext& context) const {
  return std::make_unique<ADMMRule>(options_, context);
}

}  // namespace sparsify

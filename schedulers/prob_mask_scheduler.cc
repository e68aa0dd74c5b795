#include "schedulers/prob_mask_scheduler.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "schedulers/masked_rule.h"
#include "schedulers/polynomial_scheduler.h"
#include "schedulers/rule_support.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/base/random.h"
#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

constexpr double kRampPower = 3;
constexpr double kEdge = 1e-6;  // p is this far from 0 and 1 at least, in logarithms
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;
constexpr double kMostNorm = 3;  // of ∂L/∂p of one tensor

double Inside(float p) { return std::clamp(static_cast<double>(p), kEdge, 1 - kEdge); }

// What one weight tensor learns.
struct Learned {
  Tensor probability;
  Tensor mean;     // Adam's
  Tensor square;   // Adam's
  Tensor relaxed;  // m of this step
};

// Σ clamp(p − v, 0, 1) over all tensors, and how many elements are strictly inside.
std::pair<double, double> SumShifted(std::span<Tensor* const> probabilities, double v) {
  std::vector<std::pair<double, double>> sums(probabilities.size());
  ParallelFor(std::ssize(probabilities), [&](int64_t i) {
    double sum = 0;
    int64_t inside = 0;
    for (const float p : probabilities[static_cast<size_t>(i)]->values()) {
      const double shifted = p - v;
      sum += std::clamp(shifted, 0.0, 1.0);
      inside += shifted > 0 && shifted < 1;
    }
    sums[static_cast<size_t>(i)] = {sum, static_cast<double>(inside)};
  });
  std::pair<double, double> all = {0, 0};
  for (const auto& [sum, inside] : sums) {
    all.first += sum;
    all.second += inside;
  }
  return all;
}

// Newton's steps within a bracket that they and bisection narrow.
double FindShift(std::span<Tensor* const> probabilities, double budget) {
  double low = 0;
  double high = 0;
  for (const Tensor* p : probabilities) {
    for (const float value : p->values()) high = std::max(high, static_cast<double>(value));
  }
  double v = 0;
  for (int round = 0; round < 60; ++round) {
    const auto [sum, inside] = SumShifted(probabilities, v);
    const double excess = sum - budget;
    if (std::abs(excess) <= 1e-6 * budget || (round == 0 && excess < 0)) break;
    (excess > 0 ? low : high) = v;
    const double newton = inside > 0 ? v + excess / inside : low;
    v = newton > low && newton < high ? newton : (low + high) / 2;
  }
  return v;
}

// The `kept` most probable elements; of equals the larger |w|, then the higher index.
Mask MostProbable(const Tensor& probability, const Tensor& weight, int64_t kept) {
  std::vector<int64_t> order(static_cast<size_t>(weight.size()));
  std::iota(order.begin(), order.end(), 0);
  const auto before = [&](int64_t a, int64_t b) {
    if (probability[a] != probability[b]) return probability[a] > probability[b];
    const float wa = std::abs(weight[a]);
    const float wb = std::abs(weight[b]);
    return wa != wb ? wa > wb : a > b;
  };
  std::nth_element(order.begin(), order.begin() + kept, order.end(), before);
  Mask mask(weight.shape(), false);
  for (int64_t i = 0; i < kept; ++i) mask.Set(order[static_cast<size_t>(i)], true);
  return mask;
}

class ProbMaskRule : public PruningRule {
 public:
  ProbMaskRule(const ProbMaskOptions& options, uint64_t seed) : options_(options), seed_(seed) {}

  std::string_view type() const override { return "ProbMaskScheduler"; }

  void Begin(std::span<TrainedWeight> weights, int64_t steps) override {
    steps_ = steps;
    begin_ = StepAt(options_.begin, steps);
    ramp_end_ = StepAt(options_.ramp_end, steps);
    end_ = StepAt(options_.end, steps);
    names_.clear();
    learned_.clear();
    for (const TrainedWeight& weight : weights) {
      const Shape shape = weight.sparsity() > 0 ? weight.latent.shape() : Shape{0};
      names_.push_back(weight.name());
      learned_.push_back({Tensor(shape), Tensor(shape), Tensor(shape), Tensor(shape)});
      learned_.back().probability.Fill(1);
    }
    learning_ = false;
  }

  Prepared Prepare(const StepInfo& info, std::span<TrainedWeight> weights) override {
    if (info.step == 0) learning_ = true;
    if (info.step <= end_ && !learning_) {
      Fail(type(), "continues at step {} without the state of the steps before it", info.step);
    }
    if (info.step == end_) MakeMasks(weights);
    ParallelFor(std::ssize(weights), [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      if (info.step < end_ && weights[at].sparsity() > 0) {
        Relax(info.step, learned_[at], weights[at]);
      } else {
        weights[at].ShowMasked();
      }
    });
    return {.masks = info.step == end_};
  }

  bool Backward(const StepInfo& info, std::span<TrainedWeight> weights,
                std::span<Tensor* const> gradients) override {
    if (info.step >= end_) {
      MaskGradients(weights, gradients);
      return true;
    }
    ParallelFor(std::ssize(weights), [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      if (weights[at].sparsity() > 0) {
        Learn(info.step, weights[at].latent, *gradients[at], learned_[at]);
      }
    });
    Project(info.step + 1, weights);
    return true;
  }

  bool HoldsPruned() const override { return true; }  // nothing is pruned below end

  void Finish(std::span<TrainedWeight> weights) override {
    if (end_ >= steps_) MakeMasks(weights);
    ShowFinal(type(), weights);
  }

  /// NAME.probability and Adam's NAME.mean and NAME.square of every weight; nothing from end on.
  std::map<std::string, Tensor> State() const override {
    std::map<std::string, Tensor> state;
    if (!learning_) return state;
    for (size_t i = 0; i < names_.size(); ++i) {
      state[names_[i] + ".probability"] = learned_[i].probability;
      state[names_[i] + ".mean"] = learned_[i].mean;
      state[names_[i] + ".square"] = learned_[i].square;
    }
    return state;
  }

  void SetState(const std::map<std::string, Tensor>& state) override {
    if (state.empty()) return;  // from end on
    CheckStateSize(type(), state, 3 * names_.size());
    for (size_t i = 0; i < names_.size(); ++i) {
      Learned& learned = learned_[i];
      const Shape& shape = learned.relaxed.shape();
      learned.probability = StateTensor(type(), state, names_[i] + ".probability", shape);
      learned.mean = StateTensor(type(), state, names_[i] + ".mean", shape);
      learned.square = StateTensor(type(), state, names_[i] + ".square", shape);
    }
    learning_ = true;
  }

 private:
  double Part(int64_t step) const {
    return std::min(1.0, static_cast<double>(step) / static_cast<double>(end_));
  }
  double Temperature(int64_t step) const {
    return 1 + (options_.last_temperature - 1) * Part(step);
  }

  void Relax(int64_t step, Learned& learned, TrainedWeight& weight) const {
    SampleRelaxed(learned.probability, Temperature(step), seed_, weight.context().layer_index, step,
                  learned.relaxed);
    for (int64_t j = 0; j < weight.latent.size(); ++j) {
      weight.effective[j] = weight.latent[j] * learned.relaxed[j];
    }
  }

  // An Adam step of p; `gradient` goes from ∂L/∂Ŵ to ∂L/∂W.
  void Learn(int64_t step, const Tensor& w, Tensor& gradient, Learned& learned) const {
    const double n = static_cast<double>(step + 1);
    const double rate = options_.learning_rate * (1 + std::cos(std::numbers::pi * Part(step))) / 2 *
                        std::sqrt(1 - std::pow(kBeta2, n)) / (1 - std::pow(kBeta1, n));
    Tensor slopes(w.shape());
    double squares = 0;
    for (int64_t j = 0; j < w.size(); ++j) {
      const float m = learned.relaxed[j];
      const double g = static_cast<double>(gradient[j]) * w[j] *
                       RelaxedSlope(learned.probability[j], m, Temperature(step));
      slopes[j] = static_cast<float>(g);
      squares += g * g;
      gradient[j] *= m;
    }
    const double scale = std::min(1.0, kMostNorm / std::sqrt(std::max(squares, 1e-30)));
    for (int64_t j = 0; j < w.size(); ++j) {
      const double g = scale * slopes[j];
      const double mean = kBeta1 * learned.mean[j] + (1 - kBeta1) * g;
      const double square = kBeta2 * learned.square[j] + (1 - kBeta2) * g * g;
      float& p = learned.probability[j];
      p = static_cast<float>(p - rate * mean / (std::sqrt(square) + kEpsilon));
      learned.mean[j] = static_cast<float>(mean);
      learned.square[j] = static_cast<float>(square);
    }
  }

  // Puts the probabilities on the budget of `step`.
  void Project(int64_t step, std::span<const TrainedWeight> weights) {
    std::vector<Tensor*> all;
    double network = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      if (weights[i].sparsity() == 0) continue;
      Tensor* const probability = &learned_[i].probability;
      const double budget =
          static_cast<double>(probability->size()) * (1 - Ramp(step, weights[i].sparsity()));
      if (options_.budget == "layer") {
        ProjectProbabilities({&probability, 1}, budget);
      } else {
        all.push_back(probability);
        network += budget;
      }
    }
    if (!all.empty()) ProjectProbabilities(all, network);
  }

  double Ramp(int64_t step, double target) const {
    if (step >= ramp_end_) return target;
    if (step <= begin_) return 0;
    return PolynomialRamp(
        0, target, kRampPower,
        static_cast<double>(step - begin_) / static_cast<double>(ramp_end_ - begin_));
  }

  void MakeMasks(std::span<TrainedWeight> weights) {
    for (size_t i = 0; i < weights.size(); ++i) {
      TrainedWeight& weight = weights[i];
      if (weight.sparsity() == 0) continue;
      const Tensor& probability = learned_[i].probability;
      double sum = 0;
      for (const float p : probability.values()) sum += p;
      const auto size = static_cast<double>(probability.size());
      Note("{}: {}: learned {:.2f} %, target {:.2f} %", type(), weight.name(),
           100 * (1 - sum / size), 100 * weight.sparsity());
      const int64_t kept = probability.size() - PruneCount(probability.size(), weight.sparsity());
      Mask mask = MostProbable(probability, weight.latent, kept);
      PruneZeros(weight.latent, mask);
      weight.SetMask(std::move(mask));
      ZeroPruned(weight);
    }
    learning_ = false;
  }

  ProbMaskOptions options_;
  uint64_t seed_;
  int64_t steps_ = 0;
  int64_t begin_ = 0;
  int64_t ramp_end_ = 0;
  int64_t end_ = 0;
  bool learning_ = false;  // learned_ is that of the step to come
  std::vector<std::string> names_;
  std::vector<Learned> learned_;  // empty tensors for a target of 0
};

}  // namespace

ProbMaskScheduler::ProbMaskScheduler(const ProbMaskOptions& options) : options_(options) {
  if (options_.budget != "network" && options_.budget != "layer") {
    FailUsage("scheduler.kwargs.budget", "\"{}\" is neither network nor layer", options_.budget);
  }
  CheckKwarg("learning_rate", options_.learning_rate, {.min = 0, .min_open = true});
  CheckKwarg("begin", options_.begin, {.min = 0, .max = 1, .max_open = true});
  CheckKwarg("ramp_end", options_.ramp_end, {.min = 0, .max = 1, .min_open = true});
  CheckKwarg("end", options_.end, {.min = 0, .max = 1, .min_open = true});
  CheckKwarg("last_temperature", options_.last_temperature, {.min = 0.001, .max = 1});
  if (options_.begin >= options_.ramp_end) {
    FailUsage("scheduler.kwargs.ramp_end", "is {}; must be above begin, which is {}",
              options_.ramp_end, options_.begin);
  }
  if (options_.ramp_end > options_.end) {
    FailUsage("scheduler.kwargs.end", "is {}; must not be below ramp_end, which is {}",
              options_.end, options_.ramp_end);
  }
}

std::unique_ptr<PruningRule> ProbMaskScheduler::MakeRule(const RuleContext& context) const {
  if (context.generator && !IsPlainMagnitude(*context.generator)) {
    FailUsage("scheduler.type",
              "ProbMaskScheduler keeps the most probable single weights and asks no {}; take "
              "mask_generator.type NormalMaskGenerator, neither structured nor row_normalized",
              context.generator->type());
  }
  return std::make_unique<ProbMaskRule>(options_, context.seed);
}

void ProjectProbabilities(std::span<Tensor* const> probabilities, double budget) {
  const double v = FindShift(probabilities, budget);
  ParallelFor(std::ssize(probabilities), [&](int64_t i) {
    for (float& p : probabilities[static_cast<size_t>(i)]->values()) {
      p = static_cast<float>(std::clamp(p - v, 0.0, 1.0));
    }
  });
}

void SampleRelaxed(const Tensor& probability, double temperature, uint64_t seed, uint64_t layer,
                   int64_t step, Tensor& relaxed) {
  Random random(Random(seed, layer).NextBits(), static_cast<uint64_t>(step));
  for (int64_t j = 0; j < probability.size(); ++j) {
    const double p = Inside(probability[j]);
    const double u = std::max(random.Uniform(), 0x1.0p-54);
    const double logit = std::log(p * u / ((1 - p) * (1 - u)));
    relaxed[j] = static_cast<float>(1 / (1 + std::exp(-logit / temperature)));
  }
}

double RelaxedSlope(float probability, float relaxed, double temperature) {
  const double p = Inside(probability);
  const double m = relaxed;
  return m * (1 - m) / (temperature * p * (1 - p));
}

}  // namespace sparsify

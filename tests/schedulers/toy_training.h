// A training loop of a few lines for the tests of rules: SGD with momentum and weight decay on a
// noisy quadratic, ½ Σ h·(ŵ − a)².
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "schedulers/scheduler.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/base/random.h"
#include "sparsity/mask/normal_mask_generator.h"

namespace sparsify::testing {

inline RuleContext MagnitudeContext(bool mask_is_static = true) {
  return {std::make_shared<NormalMaskGenerator>(NormalMaskOptions{}), mask_is_static, 7};
}

/// The text of the usage Error that `body` throws.
inline std::string UsageMessage(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "no error";
}

inline Tensor NoiseTensor(const Shape& shape, uint64_t seed, uint64_t stream) {
  Random random(seed, stream);
  Tensor tensor(shape);
  for (float& v : tensor.values()) v = static_cast<float>(random.Normal());
  return tensor;
}

/// What of a run a checkpoint keeps.
struct ToyParts {
  std::vector<Tensor> latents;
  std::vector<Mask> masks;
  std::vector<Tensor> velocities;
  std::map<std::string, Tensor> state;
};

class ToyTraining {
 public:
  /// Weights 8×4×3×3 and 6×20, or `shapes`, of the given targets.
  explicit ToyTraining(const std::vector<double>& sparsities,
                       const std::vector<Shape>& shapes = {{8, 4, 3, 3}, {6, 20}}) {
    for (size_t i = 0; i < sparsities.size(); ++i) {
      const Shape& shape = shapes[i % shapes.size()];
      MaskContext context;
      context.seed = 7;
      context.layer_index = i;
      weights.emplace_back("layer" + std::to_string(i) + ".weight", NoiseTensor(shape, 1, i),
                           sparsities[i], context);
      optimum.push_back(NoiseTensor(shape, 2, i));
      curvature.emplace_back(shape);
      curvature.back().Fill(1);
      velocity.emplace_back(shape);
    }
  }

  /// After Prepare, before the pass.
  using Observer = std::function<void(const StepInfo&, const Prepared&)>;

  void Run(PruningRule& rule, int64_t from, int64_t to, int64_t steps,
           const Observer& observer = nullptr) {
    for (int64_t step = from; step < to; ++step) {
      const StepInfo info{step, steps, rate};
      const Prepared prepared = rule.Prepare(info, weights);
      if (prepared.reset_momentum) {
        for (Tensor& v : velocity) v.Fill(0);
      }
      if (observer) observer(info, prepared);
      std::vector<Tensor> gradients = Gradients(step);
      std::vector<Tensor*> pointers;
      for (Tensor& gradient : gradients) pointers.push_back(&gradient);
      if (rule.Backward(info, weights, pointers)) Optimise(rule.HoldsPruned(), gradients);
    }
  }

  std::vector<Tensor> Gradients(int64_t step) const {
    std::vector<Tensor> gradients;
    for (size_t i = 0; i < weights.size(); ++i) {
      Tensor gradient = NoiseTensor(weights[i].latent.shape(), 3 + i, static_cast<uint64_t>(step));
      for (int64_t j = 0; j < gradient.size(); ++j) {
        gradient[j] = curvature[i][j] * (weights[i].effective[j] - optimum[i][j]) +
                      static_cast<float>(noise) * gradient[j];
      }
      gradients.push_back(std::move(gradient));
    }
    return gradients;
  }

  ToyParts Save(const PruningRule& rule) const {
    ToyParts parts;
    for (const TrainedWeight& weight : weights) {
      parts.latents.push_back(weight.latent);
      parts.masks.push_back(weight.mask());
    }
    parts.velocities = velocity;
    parts.state = rule.State();
    return parts;
  }
  void Load(const ToyParts& parts) {
    for (size_t i = 0; i < weights.size(); ++i) {
      weights[i].latent = parts.latents[i];
      weights[i].SetMask(parts.masks[i]);
    }
    velocity = parts.velocities;
  }

  std::vector<TrainedWeight> weights;
  std::vector<Tensor> optimum;    // a
  std::vector<Tensor> curvature;  // h
  std::vector<Tensor> velocity;
  double rate = 0.05;
  double momentum = 0.9;
  double decay = 1e-3;
  double noise = 0.3;

 private:
  void Optimise(bool hold, const std::vector<Tensor>& gradients) {
    for (size_t i = 0; i < weights.size(); ++i) {
      TrainedWeight& weight = weights[i];
      for (int64_t j = 0; j < weight.latent.size(); ++j) {
        float& v = velocity[i][j];
        const bool held = hold && weight.keep()[j] == 0;
        const double g = gradients[i][j] + decay * weight.latent[j];
        v = held ? 0.0F : static_cast<float>(momentum * v + g);
        weight.latent[j] -= static_cast<float>(rate * v);
      }
    }
  }
};

inline void ExpectSameBits(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.shape(), b.shape()) << what;
  EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<size_t>(a.size()) * sizeof(float)), 0)
      << what;
}

/// A run of 20 steps, and one that is broken off after each number of them and continued by another
/// rule with other objects on one thread, end in the same bits.
inline void ExpectContinues(const Scheduler& scheduler, const RuleContext& context) {
  constexpr int64_t kSteps = 20;
  LogCapture quiet;
  const std::vector<double> targets = {0.7, 0.4, 0};
  ToyTraining whole(targets);
  const auto rule = scheduler.MakeRule(context);
  rule->Begin(whole.weights, kSteps);
  whole.Run(*rule, 0, kSteps, kSteps);
  rule->Finish(whole.weights);
  SetThreads(1);
  for (int64_t broken = 1; broken < kSteps; ++broken) {
    ToyTraining first(targets);
    const auto before = scheduler.MakeRule(context);
    before->Begin(first.weights, kSteps);
    first.Run(*before, 0, broken, kSteps);
    ToyTraining second(targets);
    const ToyParts parts = first.Save(*before);
    second.Load(parts);
    const auto after = scheduler.MakeRule(context);
    after->Begin(second.weights, kSteps);
    after->SetState(parts.state);
    second.Run(*after, broken, kSteps, kSteps);
    after->Finish(second.weights);
    for (size_t i = 0; i < targets.size(); ++i) {
      const std::string what = "broken off after " + std::to_string(broken);
      ExpectSameBits(whole.weights[i].latent, second.weights[i].latent, what);
      ExpectSameBits(whole.weights[i].effective, second.weights[i].effective, what);
      EXPECT_EQ(whole.weights[i].mask(), second.weights[i].mask()) << what;
    }
  }
  SetThreads(0);
}

/// What NormalMaskGenerator prunes of `count` at a sparsity that is a whole number of percent.
inline int64_t PercentOf(int64_t count, int64_t percent) {
  return count - count * (100 - percent) / 100;
}

/// effective = latent ⊙ mask, with exactly the targets' zeros.
inline void ExpectFinal(const std::vector<TrainedWeight>& weights,
                        const std::vector<int64_t>& percents) {
  for (size_t i = 0; i < weights.size(); ++i) {
    const TrainedWeight& weight = weights[i];
    EXPECT_EQ(weight.mask().CountPruned(), PercentOf(weight.latent.size(), percents[i]));
    EXPECT_EQ(CountZeros(weight.effective), weight.mask().CountPruned());
    for (int64_t j = 0; j < weight.latent.size(); ++j) {
      EXPECT_EQ(weight.effective[j], weight.mask()[j] ? weight.latent[j] : 0.0F);
    }
  }
}

}  // namespace sparsify::testing

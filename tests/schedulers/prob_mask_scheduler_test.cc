#include "schedulers/prob_mask_scheduler.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "sparsity/base/log.h"
#include "sparsity/mask/nm_mask_generator.h"
#include "tests/schedulers/toy_training.h"

namespace sparsify {
namespace {

using testing::ExpectContinues;
using testing::ExpectFinal;
using ::testing::HasSubstr;
using testing::MagnitudeContext;
using testing::ToyTraining;
using testing::UsageMessage;

Tensor UniformTensor(const Shape& shape, double low, double high, uint64_t seed) {
  Random random(seed);
  Tensor tensor(shape);
  for (float& v : tensor.values()) v = static_cast<float>(low + (high - low) * random.Uniform());
  return tensor;
}

double Sum(const Tensor& tensor) {
  double sum = 0;
  for (const float v : tensor.values()) sum += v;
  return sum;
}

// The projection: p is clamp(q − v, 0, 1) for one v >= 0 and sums to the budget if v > 0 (Karush,
// Kuhn and Tucker); among all points it is the nearest, here among many random ones.
TEST(ProbMaskScheduler, ProjectsOnTheBudgetOfAllTensors) {
  for (const double budget : {3.0, 20.0, 59.0, 75.0}) {
    const Tensor a = UniformTensor({60}, -0.2, 1.3, 1);
    const Tensor b = UniformTensor({5, 8}, -0.2, 1.3, 2);
    Tensor pa = a;
    Tensor pb = b;
    Tensor* const both[] = {&pa, &pb};
    ProjectProbabilities(both, budget);
    EXPECT_LE(Sum(pa) + Sum(pb), budget * (1 + 2e-6));
    double low = 0;
    double high = 2;
    const auto total = [&](double v) {
      double sum = 0;
      for (const Tensor* q : {&a, &b}) {
        for (const float value : q->values()) sum += std::min(1.0, std::max(0.0, value - v));
      }
      return sum;
    };
    if (total(0) <= budget) high = 0;
    for (int i = 0; i < 100; ++i)
      (total((low + high) / 2) > budget ? low : high) = (low + high) / 2;
    for (int64_t j = 0; j < 60; ++j) {
      EXPECT_NEAR(pa[j], std::clamp(a[j] - high, 0.0, 1.0), 1e-5) << budget;
    }
    for (int64_t j = 0; j < 40; ++j) {
      EXPECT_NEAR(pb[j], std::clamp(b[j] - high, 0.0, 1.0), 1e-5) << budget;
    }
  }
}

TEST(ProbMaskScheduler, SamplesAreRelaxedBernoulliVariables) {
  for (const double temperature : {1.0, 0.03}) {
    for (const float p : {0.1F, 0.5F, 0.83F}) {
      Tensor probability({20000});
      probability.Fill(p);
      Tensor relaxed(probability.shape());
      SampleRelaxed(probability, temperature, 1, 2, 3, relaxed);
      int64_t above = 0;
      int64_t between = 0;
      for (const float m : relaxed.values()) {
        above += m > 0.5F;
        between += m > 0.01F && m < 0.99F;
      }
      // P(m > ½) = p whatever the temperature; four standard deviations.
      EXPECT_NEAR(static_cast<double>(above) / 20000, p, 4 * std::sqrt(p * (1 - p) / 20000));
      EXPECT_EQ(between < 2500, temperature < 0.1) << between;
    }
  }
}

TEST(ProbMaskScheduler, TheSlopeIsThatOfCentralDifferencesUnderTheSameNoise) {
  const Tensor p = UniformTensor({200}, 0.1, 0.9, 4);
  for (const double temperature : {1.0, 0.5}) {
    constexpr float kStep = 1e-3F;
    Tensor up = p;
    Tensor down = p;
    for (int64_t j = 0; j < p.size(); ++j) {
      up[j] += kStep;
      down[j] -= kStep;
    }
    Tensor m(p.shape());
    Tensor m_up(p.shape());
    Tensor m_down(p.shape());
    SampleRelaxed(p, temperature, 1, 2, 3, m);
    SampleRelaxed(up, temperature, 1, 2, 3, m_up);
    SampleRelaxed(down, temperature, 1, 2, 3, m_down);
    for (int64_t j = 0; j < p.size(); ++j) {
      const double slope = (m_up[j] - m_down[j]) / (up[j] - down[j]);
      // The third derivative is below 50 at these p.
      EXPECT_NEAR(RelaxedSlope(p[j], m[j], temperature), slope, 3e-4 + 1e-3 * slope) << p[j];
    }
  }
}

TEST(ProbMaskScheduler, TheNoiseDependsOnSeedLayerAndStep) {
  Tensor p({4, 8});
  p.Fill(0.5F);
  const auto sample = [&](uint64_t seed, uint64_t layer, int64_t step) {
    Tensor m(p.shape());
    SampleRelaxed(p, 1, seed, layer, step, m);
    return m[0];
  };
  EXPECT_EQ(sample(1, 2, 3), sample(1, 2, 3));
  EXPECT_NE(sample(1, 2, 3), sample(2, 2, 3));
  EXPECT_NE(sample(1, 2, 3), sample(1, 3, 3));
  EXPECT_NE(sample(1, 2, 3), sample(1, 2, 4));
}

// Adam's mean after one step from nothing is a tenth of the gradient.
TEST(ProbMaskScheduler, LearnsFromTheEstimatorOfThePaper) {
  const auto rule =
      ProbMaskScheduler({.learning_rate = 0.01, .begin = 0.5}).MakeRule(MagnitudeContext());
  ToyTraining training({0.5}, {{6, 20}});
  const Shape shape = {6, 20};
  rule->Begin(training.weights, 100);
  const Tensor p = UniformTensor(shape, 0.2, 0.8, 5);
  rule->SetState({{"layer0.weight.probability", p},
                  {"layer0.weight.mean", Tensor(shape)},
                  {"layer0.weight.square", Tensor(shape)}});
  rule->Prepare({1, 100, 0.1}, training.weights);
  const Tensor& w = training.weights[0].latent;
  const Tensor& a = training.optimum[0];
  Tensor gradient(shape);
  for (int64_t j = 0; j < w.size(); ++j) gradient[j] = training.weights[0].effective[j] - a[j];
  Tensor m(shape);
  const double temperature = 1 - 0.97 / 80;
  SampleRelaxed(p, temperature, 7, 0, 1, m);
  Tensor* pointer = &gradient;
  EXPECT_TRUE(rule->Backward({1, 100, 0.1}, training.weights, {&pointer, 1}));
  std::vector<double> slopes;
  double squares = 0;
  for (int64_t j = 0; j < w.size(); ++j) {
    const double shown = static_cast<double>(m[j]) * w[j];
    EXPECT_NEAR(training.weights[0].effective[j], shown, 1e-6);
    EXPECT_NEAR(gradient[j], (shown - a[j]) * m[j], 1e-5);
    const double q = p[j];
    slopes.push_back((shown - a[j]) * w[j] * m[j] * (1 - m[j]) / (temperature * q * (1 - q)));
    squares += slopes.back() * slopes.back();
  }
  ASSERT_GT(squares, 9) << "the norm is to be bounded";
  const auto state = rule->State();
  for (int64_t j = 0; j < w.size(); ++j) {
    const double slope = slopes[static_cast<size_t>(j)] * 3 / std::sqrt(squares);
    EXPECT_NEAR(state.at("layer0.weight.mean")[j], 0.1 * slope, 1e-5 + 1e-4 * std::abs(slope));
    const double moved = state.at("layer0.weight.probability")[j] - p[j];
    EXPECT_TRUE(std::abs(slope) < 1e-3 || moved * slope < 0) << j;
  }
}

TEST(ProbMaskScheduler, ExpectsAsManyAsTheBudgetSays) {
  for (const char* budget : {"network", "layer"}) {
    LogCapture quiet;
    const auto rule =
        ProbMaskScheduler({.budget = budget, .learning_rate = 0.05, .begin = 0.1, .ramp_end = 0.6})
            .MakeRule(MagnitudeContext());
    EXPECT_TRUE(rule->HoldsPruned());
    ToyTraining training({0.9, 0.5, 0});
    // Two thirds of the first layer are better gone, all of the second had better stay.
    for (size_t i = 0; i < 2; ++i) {
      for (int64_t j = 0; j < training.optimum[i].size(); ++j) {
        const bool wanted = i == 1 || j % 3 == 0;
        training.optimum[i][j] = wanted ? 3 * training.weights[i].latent[j] : 0;
      }
    }
    rule->Begin(training.weights, 100);
    double most_shift = 0;
    training.Run(*rule, 0, 80, 100, [&](const StepInfo& info, const Prepared& prepared) {
      EXPECT_FALSE(prepared.masks);
      const double left = 1 - std::clamp((static_cast<double>(info.step) - 10) / 50, 0.0, 1.0);
      const double part = 1 - left * left * left;
      const double first = 288 * (1 - 0.9 * part);
      const double second = 120 * (1 - 0.5 * part);
      const auto state = rule->State();
      const double sum0 = Sum(state.at("layer0.weight.probability"));
      const double sum1 = Sum(state.at("layer1.weight.probability"));
      EXPECT_LE(sum0 + sum1, (first + second) * (1 + 1e-5)) << info.step;
      if (info.step > 40) {
        EXPECT_NEAR(sum0 + sum1, first + second, 1e-4 * 408) << info.step;
      }
      if (*budget == 'l') {
        EXPECT_LE(sum0, first * (1 + 1e-5));
        EXPECT_LE(sum1, second * (1 + 1e-5));
      }
      most_shift = std::max(most_shift, sum1 - second);
      EXPECT_EQ(training.weights[0].mask().CountPruned(), 0);
    });
    // One budget for both goes to the layer that is worth it.
    EXPECT_EQ(most_shift > 5, *budget == 'n') << most_shift;
    training.Run(*rule, 80, 100, 100);
    rule->Finish(training.weights);
    ExpectFinal(training.weights, {90, 50, 0});
  }
}

TEST(ProbMaskScheduler, KeepsTheMostProbableAndSaysHowFarItWas) {
  LogCapture log;
  const auto rule = ProbMaskScheduler(ProbMaskOptions{}).MakeRule(MagnitudeContext());
  std::vector<TrainedWeight> weights;
  weights.emplace_back("w", Tensor({2, 4}, {1, 2, -3, 4, 5, -6, 7, 8}), 0.5, MaskContext{});
  rule->Begin(weights, 10);
  rule->SetState({{"w.probability", Tensor({2, 4}, {1, 0, 1, 0.2F, 0.2F, 0.2F, 0.5F, 0})},
                  {"w.mean", Tensor({2, 4})},
                  {"w.square", Tensor({2, 4})}});
  EXPECT_TRUE(rule->Prepare({8, 10, 0.1}, weights).masks);
  // 1, 1, 0.5 and of the three of 0.2 the largest |w|.
  EXPECT_THAT(weights[0].effective.values(), ::testing::ElementsAre(1, 0, -3, 0, 0, -6, 7, 0));
  EXPECT_EQ(log.lines().at(0), "ProbMaskScheduler: w: learned 61.25 %, target 50.00 %");
  EXPECT_TRUE(rule->State().empty());
  EXPECT_FALSE(rule->Prepare({9, 10, 0.1}, weights).masks);
}

TEST(ProbMaskScheduler, Continues) {
  for (const char* budget : {"network", "layer"}) {
    ExpectContinues(ProbMaskScheduler({.budget = budget, .learning_rate = 0.05}),
                    MagnitudeContext());
  }
  ExpectContinues(ProbMaskScheduler({.end = 1}), MagnitudeContext());
}

TEST(ProbMaskScheduler, RefusesOtherGeneratorsAndKwargs) {
  RuleContext context;
  context.generator = std::make_shared<NMMaskGenerator>(NMMaskOptions{});
  EXPECT_EQ(UsageMessage([&] { ProbMaskScheduler(ProbMaskOptions{}).MakeRule(context); }),
            "scheduler.type: ProbMaskScheduler keeps the most probable single weights and asks no "
            "NMMaskGenerator; take mask_generator.type NormalMaskGenerator, neither structured nor "
            "row_normalized");
  const auto make = [](const ProbMaskOptions& options) {
    return UsageMessage([&] { ProbMaskScheduler scheduler(options); });
  };
  EXPECT_EQ(make({.budget = "all"}),
            "scheduler.kwargs.budget: \"all\" is neither network nor layer");
  EXPECT_EQ(make({.learning_rate = 0}),
            "scheduler.kwargs.learning_rate: 0 is out of range, expected > 0");
  EXPECT_THAT(make({.begin = 1}), HasSubstr("scheduler.kwargs.begin: 1 is out of range"));
  EXPECT_EQ(make({.begin = 0.6}),
            "scheduler.kwargs.ramp_end: is 0.6; must be above begin, which is 0.6");
  EXPECT_EQ(make({.end = 0.5}),
            "scheduler.kwargs.end: is 0.5; must not be below ramp_end, which is 0.6");
  EXPECT_EQ(make({.last_temperature = 0}),
            "scheduler.kwargs.last_temperature: 0 is out of range, expected 0.001 … 1");
}

}  // namespace
}  // namespace sparsify

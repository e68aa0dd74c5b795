#include "sparsity/allocation/level_allocation.h"

#include <algorithm>
#include <cmath>

#include "sparsity/base/log.h"
#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using testing::MessageOf;
using testing::Overall;
using testing::SmallNetwork;
using testing::TestNetwork;

AllocationProblem ProblemOf(const TestNetwork& net, double sparsity,
                            const AllocationOptions& options = {}) {
  AllocationProblem problem{net.graph, net.layers, {}, sparsity, options};
  for (size_t i = 0; i < net.layers.size(); ++i) problem.selected.push_back(static_cast<int>(i));
  return problem;
}

// By definition: sort all squares, accumulate, count, round, cap.
double NaiveSparsity(const Tensor& weight, double energy) {
  std::vector<double> squares;
  for (const float w : weight.values()) squares.push_back(static_cast<double>(w) * w);
  std::sort(squares.begin(), squares.end());
  double total = 0;
  for (const double s : squares) total += s;
  double sum = 0;
  double count = 0;
  for (const double s : squares) {
    sum += s;
    if (total > 0 && sum / total * 100 > energy) break;
    ++count;
  }
  return std::min(0.99, std::round(100 * count / static_cast<double>(squares.size())) / 100);
}

TEST(EnergyCurve, EqualsACumulativeSumOverASort) {
  Random random(3);
  for (int round = 0; round < 60; ++round) {
    const auto n = static_cast<int64_t>(1 + random.Below(round < 30 ? 40 : 3000));
    Tensor weight(Shape{n});
    for (float& w : weight.values()) {
      w = static_cast<float>(random.Below(5) == 0 ? 0 : random.Normal());
    }
    const EnergyCurve curve(weight);
    for (int i = 0; i < 40; ++i) {
      const double energy = std::pow(10, 5 * random.Uniform() - 3);
      ASSERT_NEAR(curve.SparsityAt(energy, 1), NaiveSparsity(weight, energy), 1e-12)
          << n << " weights, E = " << energy;
    }
  }
}

TEST(EnergyCurve, ExtremesAreDefined) {
  const EnergyCurve zeros(Tensor(Shape{50}));
  EXPECT_EQ(zeros.SparsityAt(0, 1), 0.99);
  const EnergyCurve some(Tensor({4}, {0, 1, 2, 0}));
  EXPECT_EQ(some.SparsityAt(0, 1), 0.5);
  EXPECT_EQ(some.SparsityAt(100, 1), 0.99);
  EXPECT_EQ(some.SparsityAt(100, 0.8), 0.8);
}

TEST(AllocateByLevel, EarlyLayersGetLessOfTheEnergy) {
  const TestNetwork net = SmallNetwork();
  // Sides 32, 32, 16, 8, 8 of 32: groups 0, 0, 1, 2, 2, so G − g is 2, 2, 1, 0, 0.
  const auto result = AllocateByLevel(ProblemOf(net, 0.5, {.tuning = 0.5}));
  EXPECT_THAT(result.factor, ElementsAre(DoubleNear(0.6, 1e-12), DoubleNear(0.6, 1e-12),
                                         DoubleNear(0.6, 1e-12), 1.0, 1.0, 1.0));
  const auto steep = AllocateByLevel(ProblemOf(net, 0.5, {.tuning = 2}));
  EXPECT_THAT(steep.factor, ElementsAre(DoubleNear(0.1, 1e-12), DoubleNear(0.1, 1e-12),
                                        DoubleNear(0.1, 1e-12), 1.0, 1.0, 1.0));
  const auto flat = AllocateByLevel(ProblemOf(net, 0.5, {.tuning = 0}));
  EXPECT_THAT(flat.factor, ElementsAre(1.0, 1.0, 1.0, 1.0, 1.0, 1.0));
}

TEST(AllocateByLevel, EverySparsityIsWhatTheEnergySays) {
  TestNetwork net = SmallNetwork();
  for (const double target : {0.1, 0.3, 0.5, 0.7, 0.9, 0.97}) {
    const auto result = AllocateByLevel(ProblemOf(net, target, {.tolerance = 0.015}));
    for (size_t i = 0; i < net.layers.size(); ++i) {
      EXPECT_NEAR(result.sparsity[i],
                  NaiveSparsity(net.weight(i), result.energy * result.factor[i]), 1e-12);
    }
    EXPECT_NEAR(Overall(net, result.sparsity), target, 0.015);
    EXPECT_EQ(net.Sparsities(target, {.type = "level"}), result.sparsity);
  }
}

TEST(AllocateByLevel, RecordsItsSearch) {
  const TestNetwork net = SmallNetwork();
  const auto result = AllocateByLevel(ProblemOf(net, 0.5, {.tolerance = 0.006}));
  ASSERT_GE(result.path.size(), 3U);
  EXPECT_EQ(result.path[0].energy, 100);
  EXPECT_EQ(result.path[1].energy, 50);
  EXPECT_EQ(result.path.back().energy, result.energy);
  EXPECT_NEAR(result.path.back().sparsity, Overall(net, result.sparsity), 1e-12);
  EXPECT_NEAR(result.path.back().sparsity, 0.5, 0.006);
  for (size_t i = 0; i < result.path.size(); ++i) {
    EXPECT_EQ(result.path[i].step, static_cast<int>(i));
    if (i > 1) {
      EXPECT_GT(std::abs(result.path[i - 1].sparsity - 0.5), 0.006);
    }
  }
}

TEST(AllocateByLevel, EveryStepNamesItsLayersSparsities) {
  TestNetwork net = SmallNetwork();
  const auto result = AllocateByLevel(ProblemOf(net, 0.7, {.tolerance = 0.006}));
  ASSERT_GE(result.path.size(), 3U);
  for (const LevelStep& step : result.path) {
    ASSERT_EQ(step.layers.size(), net.layers.size());
    for (size_t i = 0; i < net.layers.size(); ++i) {
      EXPECT_NEAR(step.layers[i], NaiveSparsity(net.weight(i), step.energy * result.factor[i]),
                  1e-12);
    }
    EXPECT_NEAR(step.sparsity, Overall(net, step.layers), 1e-12);
  }
  EXPECT_EQ(result.path.back().layers, result.sparsity);
}

TEST(AllocateByLevels, EqualsOneLevelAtATime) {
  const TestNetwork net = SmallNetwork();
  const std::vector<double> sparsities = {0.9, 0.2, 0.6};
  const auto together = AllocateByLevels(ProblemOf(net, 0), sparsities);
  ASSERT_EQ(together.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    const auto alone = AllocateByLevel(ProblemOf(net, sparsities[i]));
    EXPECT_EQ(together[i].sparsity, alone.sparsity);
    EXPECT_EQ(together[i].energy, alone.energy);
    EXPECT_EQ(together[i].path.size(), alone.path.size());
  }
}

TEST(AllocateByLevel, SaysWhenAJumpSkipsTheTarget) {
  TestNetwork net;
  net.SetInput(8);
  Tensor weight(Shape{10, 10});
  weight.Fill(0);
  for (int64_t i = 0; i < 20; ++i) weight[i] = 1;
  net.AddWeight("fc", weight);  // 80 % are zero: no energy gives less
  LogCapture log;
  EXPECT_THAT(net.Sparsities(0.5, {.type = "level"}), ElementsAre(0.8));
  EXPECT_TRUE(
      log.Contains("warning: level allocation: no energy gives sparsity 0.5000 within "
                   "0.015; the nearest gives 0.8000"));
}

TEST(AllocateByLevel, RefusesWhatItsCapsForbid) {
  const TestNetwork net = SmallNetwork();
  EXPECT_EQ(MessageOf([&] { net.Sparsities(0.9, {.type = "level", .max_layer_sparsity = 0.7}); }),
            "allocation: level reaches a sparsity of 0.7000 at most, with no layer above 0.7; "
            "asked: 0.9000");
  EXPECT_NEAR(Overall(net, net.Sparsities(1, {.type = "level"})), 0.99, 0.006);
}

TEST(AllocateByLevel, AskForAnImageSize) {
  TestNetwork net;
  net.graph.name = "net";
  net.graph.inputs = {{net.graph.AddActivation("x"), {-1, 3, -1, -1}}};
  net.Add("conv1", {4, 3, 3, 3});
  EXPECT_THAT(MessageOf([&] { net.Sparsities(0.5, {.type = "level"}); }),
              ::testing::StartsWith("net: level allocation needs an image size"));
}

}  // namespace
}  // namespace sparsify

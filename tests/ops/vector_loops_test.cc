#include "sparsity/ops/vector_loops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::RandomTensor;

const std::vector<int64_t> kTaps = {0, 3, 17, 100};
constexpr float kWeights[] = {0.5F, -2, 3, 0.25F};

class VectorLoopsTest : public ::testing::TestWithParam<std::string> {
 protected:
  VectorLoopsTest() { ForceVectorTarget(GetParam()); }
  ~VectorLoopsTest() override { ForceVectorTarget(VectorTargets().back()); }
};

INSTANTIATE_TEST_SUITE_P(Targets, VectorLoopsTest, ::testing::ValuesIn(VectorTargets()));

TEST(VectorTargets, AreKnownByName) {
  EXPECT_EQ(VectorTargets().front(), "Plain");
  EXPECT_EQ(testing::MessageOf([] { ForceVectorTarget("Mmx"); }),
            "vector loops: this machine cannot run \"Mmx\"");
}

TEST_P(VectorLoopsTest, CorrelateSumsTheTaps) {
  Random random(1);
  const Tensor x = RandomTensor(random, {300});
  Tensor y(Shape{192});
  CorrelateRuns(x.data(), kTaps, kWeights, 1.5F, 192, y.data());
  for (int64_t i = 0; i < 192; ++i) {
    double sum = 1.5;
    for (size_t t = 0; t < 4; ++t) sum += double{kWeights[t]} * x[kTaps[t] + i];
    EXPECT_NEAR(y[i], sum, 1e-5);
  }
}

TEST_P(VectorLoopsTest, SpreadAddsEveryTap) {
  Random random(2);
  const Tensor x = RandomTensor(random, {128});
  const Tensor start = RandomTensor(random, {300});
  Tensor y = start;
  SpreadRuns(x.data(), kTaps, kWeights, 128, y.data());
  for (int64_t i = 0; i < 300; ++i) {
    double sum = start[i];
    for (size_t t = 0; t < 4; ++t) {
      const int64_t from = i - kTaps[t];
      if (from >= 0 && from < 128) sum += double{kWeights[t]} * x[from];
    }
    EXPECT_NEAR(y[i], sum, 1e-5);
  }
}

TEST_P(VectorLoopsTest, DotsAddToTheSums) {
  Random random(3);
  const Tensor a = RandomTensor(random, {192});
  const Tensor b = RandomTensor(random, {300});
  std::vector<double> sums = {0, 10, 0, -1};
  std::vector<double> expected = sums;
  DotRuns(a.data(), b.data(), kTaps, 192, sums.data());
  for (size_t t = 0; t < 4; ++t) {
    for (int64_t i = 0; i < 192; ++i) expected[t] += double{a[i]} * b[kTaps[t] + i];
    EXPECT_NEAR(sums[t], expected[t], 1e-4);
  }
}

TEST_P(VectorLoopsTest, CopyGridTouchesTheGridAlone) {
  for (const int64_t columns : {1, 2, 3, 4, 5, 7, 8, 11, 15, 16, 17, 31, 32, 40}) {
    for (const auto& [from_step, to_step] :
         {std::pair<int64_t, int64_t>(1, 1), {2, 1}, {1, 2}, {3, 2}}) {
      const GridSteps from_steps = {columns * from_step + 5, from_step};
      const GridSteps to_steps = {columns * to_step + 2, to_step};
      std::vector<float> from(static_cast<size_t>(3 * from_steps.row));
      for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i + 1);
      std::vector<float> to(static_cast<size_t>(3 * to_steps.row), -1);
      std::vector<float> expected = to;
      for (int64_t y = 0; y < 3; ++y) {
        for (int64_t x = 0; x < columns; ++x) {
          expected[static_cast<size_t>(y * to_steps.row + x * to_step)] =
              from[static_cast<size_t>(y * from_steps.row + x * from_step)];
        }
      }
      CopyGrid(from.data(), from_steps, 3, columns, to.data(), to_steps);
      EXPECT_EQ(to, expected) << columns << " " << from_step << " " << to_step;
    }
  }
}

TEST_P(VectorLoopsTest, PlaneSumsOfAnyLength) {
  Random random(5);
  for (const int64_t count : {0, 1, 7, 8, 15, 16, 17, 49, 196, 1000}) {
    SCOPED_TRACE(count);
    const Tensor a = RandomTensor(random, {count + 1});
    const Tensor b = RandomTensor(random, {count + 1});
    double sum = 0;
    double dot = 0;
    double shifted = 0;
    double squares = 0;
    for (int64_t i = 1; i <= count; ++i) {
      sum += a[i];
      dot += double{a[i]} * b[i];
      shifted += a[i] - 0.75;
      squares += (a[i] - 0.75) * (a[i] - 0.75);
    }
    EXPECT_NEAR(PlaneSum(a.data() + 1, count), sum, 1e-12);
    EXPECT_NEAR(PlaneDot(a.data() + 1, b.data() + 1, count), dot, 1e-12);
    const PlaneSums moments = PlaneMoments(a.data() + 1, 0.75F, count);
    EXPECT_NEAR(moments.sum, shifted, 1e-12);
    EXPECT_NEAR(moments.square, squares, 1e-11);
  }
}

TEST_P(VectorLoopsTest, PlaneDifferenceWithItsGradient) {
  Random random(8);
  for (const int64_t count : {0, 1, 15, 16, 33, 1000}) {
    SCOPED_TRACE(count);
    const Tensor a = RandomTensor(random, {count + 1});
    const Tensor b = RandomTensor(random, {count + 1});
    std::vector<float> scaled(static_cast<size_t>(count + 2), -9);
    std::vector<float> expected = scaled;
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      const double difference = double{a[i + 1]} - b[i + 1];
      sum += difference * difference;
      expected[static_cast<size_t>(i + 1)] = 0.5F * (a[i + 1] - b[i + 1]);
    }
    EXPECT_NEAR(PlaneDifference(a.data() + 1, b.data() + 1, count, 0.5F, nullptr), sum, 1e-11);
    EXPECT_NEAR(PlaneDifference(a.data() + 1, b.data() + 1, count, 0.5F, scaled.data() + 1), sum,
                1e-11);
    EXPECT_EQ(scaled, expected);
  }
}

TEST_P(VectorLoopsTest, LanesSumEachChannel) {
  constexpr int64_t kRows = 7;
  Random random(6);
  const Tensor a = RandomTensor(random, {kRows, kLanes});
  const Tensor b = RandomTensor(random, {kRows, kLanes});
  const Tensor origin = RandomTensor(random, {kLanes});
  std::vector<double> sums(kLanes, 1);  // are added to
  std::vector<double> squares(kLanes, 2);
  LaneMoments(a.data(), origin.data(), kRows, sums.data(), squares.data());
  std::vector<double> a_sums(kLanes, 3);
  std::vector<double> dots(kLanes, 4);
  LaneDots(a.data(), b.data(), kRows, a_sums.data(), dots.data());
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    double sum = 1;
    double square = 2;
    double a_sum = 3;
    double dot = 4;
    for (int64_t i = lane; i < a.size(); i += kLanes) {
      const double d = double{a[i]} - origin[lane];
      sum += d;
      square += d * d;
      a_sum += a[i];
      dot += double{a[i]} * b[i];
    }
    const auto at = static_cast<size_t>(lane);
    EXPECT_NEAR(sums[at], sum, 1e-12);
    EXPECT_NEAR(squares[at], square, 1e-12);
    EXPECT_NEAR(a_sums[at], a_sum, 1e-12);
    EXPECT_NEAR(dots[at], dot, 1e-12);
  }
}

TEST_P(VectorLoopsTest, LanesScaleAndCombineEachChannel) {
  constexpr int64_t kRows = 5;
  Random random(7);
  const Tensor x = RandomTensor(random, {kRows, kLanes});
  const Tensor g = RandomTensor(random, {kRows, kLanes});
  LanePlanes planes;
  for (int64_t l = 0; l < kLanes; ++l) {
    for (float* of : {planes.slope, planes.along, planes.center, planes.shift}) {
      of[l] = static_cast<float>(random.Normal());
    }
  }
  Tensor scaled(x.shape());
  ScaleLanes(x.data(), planes.slope, planes.shift, kRows, scaled.data());
  Tensor combined = g;
  CombineLanes(planes, combined.data(), x.data(), kRows, combined.data());
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t l = i % kLanes;
    EXPECT_NEAR(scaled[i], double{planes.slope[l]} * x[i] + planes.shift[l], 1e-5);
    EXPECT_NEAR(combined[i],
                double{planes.slope[l]} * g[i] +
                    double{planes.along[l]} * (double{x[i]} - planes.center[l]) + planes.shift[l],
                1e-5);
  }
}

}  // namespace
}  // namespace sparsify

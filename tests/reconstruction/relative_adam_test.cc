#include "reconstruction/relative_adam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/base/parallel.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::MessageOf;
using testing::RandomTensor;

constexpr ValueId kWeight = 4;

Tensor Gradient(uint64_t step, const Shape& shape) {
  Random random(17, step);
  return RandomTensor(random, shape);
}

// w = w0 + s·d, Adam on d as published (algorithm 1), in double.
std::vector<double> ReferenceSteps(const Tensor& start, const std::vector<double>& scales,
                                   const std::vector<double>& lr) {
  const auto size = static_cast<size_t>(start.size());
  std::vector<double> d(size, 0);
  std::vector<double> m(size, 0);
  std::vector<double> v(size, 0);
  for (size_t t = 1; t <= lr.size(); ++t) {
    const Tensor gradient = Gradient(t, start.shape());
    for (size_t i = 0; i < size; ++i) {
      const double s = scales[i / (size / scales.size())];
      const double g = s * gradient[static_cast<int64_t>(i)];
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      const double m_hat = m[i] / (1 - std::pow(0.9, t));
      const double v_hat = v[i] / (1 - std::pow(0.999, t));
      d[i] -= lr[t - 1] * m_hat / (std::sqrt(v_hat) + 1e-8);
    }
  }
  std::vector<double> w(size);
  for (size_t i = 0; i < size; ++i) {
    w[i] = start[static_cast<int64_t>(i)] + scales[i / (size / scales.size())] * d[i];
  }
  return w;
}

TEST(RelativeAdam, IsAdamOnRowsInUnitsOfTheirScale) {
  Random random(1);
  const Tensor start = RandomTensor(random, {3, 2, 2});
  const std::vector<double> scales = {1e-6, 0.5, 300};  // 1e-6: epsilon shows
  const std::vector<double> lr = {0.1, 0.2, 0.05, 0.3, 0.1};
  RelativeAdam adam;
  adam.Add(kWeight, start, scales, nullptr);
  for (size_t t = 1; t <= lr.size(); ++t) {
    std::map<ValueId, Tensor> gradients;
    gradients.emplace(kWeight, Gradient(t, start.shape()));
    adam.Step(gradients, lr[t - 1]);
  }
  const Tensor& w = adam.parameters().at(kWeight);
  const std::vector<double> expected = ReferenceSteps(start, scales, lr);
  for (int64_t i = 0; i < w.size(); ++i) {
    const double moved = expected[static_cast<size_t>(i)] - start[i];
    EXPECT_NEAR(w[i], expected[static_cast<size_t>(i)],
                1e-5 * std::abs(moved) + 1e-6 * std::abs(start[i]));
  }
}

TEST(RelativeAdam, TheFirstStepIsAsLargeAsTheRowsScale) {
  RelativeAdam adam;
  adam.Add(kWeight, Tensor({2, 2}, {1, 1, 1, 1}), {2, 0}, nullptr);
  std::map<ValueId, Tensor> gradients;
  gradients.emplace(kWeight, Tensor({2, 2}, {5, -0.5, 5, 5}));
  adam.Step(gradients, 0.125);
  const Tensor& w = adam.parameters().at(kWeight);
  EXPECT_NEAR(w[0], 0.75, 1e-6);
  EXPECT_NEAR(w[1], 1.25, 1e-6);
  EXPECT_EQ(w[2], 1);  // a row of scale 0 stays
  EXPECT_EQ(w[3], 1);
}

TEST(RelativeAdam, PrunedElementsArePlusZero) {
  Mask mask(Shape{2, 2});
  mask.Set(1, false);
  mask.Set(2, false);
  RelativeAdam adam;
  adam.Add(kWeight, Tensor({2, 2}, {1, -0.0F, 3, 4}), {1, 1}, &mask);
  mask.Set(0, false);  // the optimiser has its own copy
  std::map<ValueId, Tensor> gradients;
  gradients.emplace(kWeight, Tensor({2, 2}, {1, 1, 1, 1}));
  adam.Step(gradients, 0.5);
  const Tensor& w = adam.parameters().at(kWeight);
  EXPECT_NEAR(w[0], 0.5, 1e-6);
  EXPECT_EQ(w[1], 0);
  EXPECT_FALSE(std::signbit(w[1]));
  EXPECT_EQ(w[2], 0);
  EXPECT_NEAR(w[3], 3.5, 1e-6);
}

TEST(RelativeAdam, IsTheSameOnAnyThreads) {
  const auto run = [](int threads) {
    SetThreads(threads);
    Random random(4);
    RelativeAdam adam;
    adam.Add(kWeight, RandomTensor(random, {50, 30}), std::vector<double>(50, 0.3), nullptr);
    for (uint64_t t = 0; t < 4; ++t) {
      std::map<ValueId, Tensor> gradients;
      gradients.emplace(kWeight, Gradient(t, {50, 30}));
      adam.Step(gradients, 0.01);
    }
    SetThreads(0);
    return adam.parameters();
  };
  EXPECT_THAT(run(1).at(kWeight).values(),
              ::testing::ElementsAreArray(run(4).at(kWeight).values()));
}

TEST(RelativeAdam, SaysWhenScalesDoNotFit) {
  RelativeAdam adam;
  EXPECT_EQ(MessageOf([&] {
              adam.Add(kWeight, Tensor(Shape{3, 2}), {1, 1, 1, 1}, nullptr);
            }),
            "polish: 4 row scales given for a parameter of shape [3,2]");
}

TEST(RowRms, IsTheRootMeanSquareOfEachRow) {
  EXPECT_THAT(RowRms(Tensor({3, 2}, {3, -3, 0, 0, 1, 7}), 3), ElementsAre(3, 0, 5));
}

}  // namespace
}  // namespace sparsify

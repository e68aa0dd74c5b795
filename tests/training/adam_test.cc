#include "sparsity/training/adam.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "sparsity/base/random.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::MessageOf;
using testing::RandomTensor;

// The paper's algorithm 1 for one number, in double precision.
class ScalarAdam {
 public:
  double Step(double x, double gradient, double rate) {
    ++t_;
    m_ = 0.9 * m_ + 0.1 * gradient;
    v_ = 0.999 * v_ + 0.001 * gradient * gradient;
    const double mean = m_ / (1 - std::pow(0.9, t_));
    const double square = v_ / (1 - std::pow(0.999, t_));
    return x - rate * mean / (std::sqrt(square) + 1e-8);
  }

 private:
  int t_ = 0;
  double m_ = 0;
  double v_ = 0;
};

// Each step moves by at most about the rate and is computed with a dozen roundings; the moments
// carry theirs on with weights that sum to 1.
constexpr double kRoundings = 16 * 0x1.0p-24;

void CompareOver(int steps, int64_t size, const std::vector<float>& scales) {
  Random random(3);
  Tensor parameter = RandomTensor(random, {size});
  std::vector<double> expected(parameter.values().begin(), parameter.values().end());
  std::vector<ScalarAdam> reference(static_cast<size_t>(size));
  Adam adam(size);
  double moved = 0;
  for (int step = 0; step < steps; ++step) {
    const double rate = 0.01 / (1 + step);
    const Tensor gradient = RandomTensor(random, {size});
    adam.Step(gradient, rate, scales, parameter);
    for (int64_t i = 0; i < size; ++i) {
      const auto at = static_cast<size_t>(i);
      const double scale =
          scales.empty() ? 1 : scales[at * scales.size() / static_cast<size_t>(size)];
      expected[at] = reference[at].Step(expected[at], gradient[i], rate * scale);
    }
    moved += 3 * rate;
  }
  EXPECT_EQ(adam.steps(), steps);
  for (int64_t i = 0; i < size; ++i) {
    const double value = expected[static_cast<size_t>(i)];
    ASSERT_NEAR(parameter[i], value, kRoundings * moved + steps * 0x1.0p-24 * std::abs(value)) << i;
  }
}

TEST(Adam, FollowsThePaper) { CompareOver(50, 7, {}); }

// Longer than a chunk, so that several threads take part.
TEST(Adam, FollowsThePaperOverManyElements) { CompareOver(3, 40000, {}); }

TEST(Adam, ScalesEveryChannelsStep) {
  CompareOver(20, 12, {0.5F, 2.0F, 0.0F});
  CompareOver(2, 36000, {1.0F, 3.0F, 0.25F});
}

TEST(Adam, ElementsWithoutGradientStayBitForBit) {
  Tensor parameter({3}, {0.0F, 1.5F, 2.0F});
  Adam adam(3);
  for (int step = 0; step < 5; ++step) {
    adam.Step(Tensor({3}, {0.0F, 0.0F, 1.0F}), 0.1, {}, parameter);
  }
  EXPECT_EQ(parameter[0], 0.0F);
  EXPECT_FALSE(std::signbit(parameter[0]));
  EXPECT_EQ(parameter[1], 1.5F);
  EXPECT_NEAR(parameter[2], 1.5, 1e-5);
}

TEST(Adam, ExplainsSizesThatDoNotFit) {
  Tensor parameter({4});
  EXPECT_EQ(MessageOf([&] { Adam(3).Step(Tensor({3}), 0.1, {}, parameter); }),
            "adam: made for 3 elements, given 4 of the parameter, 3 of the gradient, 0 scales");
  const std::vector<float> scales(3, 1.0F);
  EXPECT_EQ(MessageOf([&] { Adam(4).Step(Tensor({4}), 0.1, scales, parameter); }),
            "adam: made for 4 elements, given 4 of the parameter, 4 of the gradient, 3 scales");
  const Tensor keep(Shape{3});
  EXPECT_EQ(MessageOf([&] { Adam(4).Step(Tensor({4}), 0.1, {}, parameter, &keep); }),
            "adam: made for 4 elements, given a mask of 3");
  EXPECT_EQ(MessageOf([&] { Adam(4).Restore(Tensor({4}), keep, 1); }),
            "adam: made for 4 elements, given moments of 4 and 3");
}

}  // namespace
}  // namespace sparsify

#include "reconstruction/unit_objective.h"

#include <gtest/gtest.h>

#include "sparsity/base/parallel.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::MessageOf;
using testing::RandomTensor;

double NaiveLoss(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum / static_cast<double>(a.size() / a.shape()[1]);
}

void CheckLoss(const Shape& shape) {
  Random random(2);
  Tensor a = RandomTensor(random, shape);
  const Tensor b = RandomTensor(random, shape);
  Tensor gradient;
  const double loss = SquaredError(a, b, &gradient);
  // Differences are rounded to 24 bits, squares and sums are double.
  EXPECT_NEAR(loss, NaiveLoss(a, b), 4 * 0x1.0p-24 * loss);
  EXPECT_EQ(SquaredError(a, b, nullptr), loss);
  ASSERT_EQ(gradient.shape(), shape);
  for (const int64_t i : {int64_t{0}, a.size() / 3, a.size() - 1}) {
    // The loss is quadratic: its central difference is exact up to rounding.
    const float at = a[i];
    a[i] = at + 0.5F;
    const double above = NaiveLoss(a, b);
    a[i] = at - 0.5F;
    const double below = NaiveLoss(a, b);
    a[i] = at;
    EXPECT_NEAR(gradient[i], above - below, 1e-6 * (std::abs(above - below) + 1e-3 * loss));
  }
}

TEST(SquaredError, IsTheMeanOverBatchAndPositionsOfTheSumOverChannels) {
  CheckLoss({4, 5});
  CheckLoss({2, 3, 5, 7});
  CheckLoss({8, 6, 20, 20});  // several chunks
  EXPECT_EQ(SquaredError(Tensor({2, 3}, {1, 2, 3, 4, 5, 6}), Tensor({2, 3}), nullptr), 91.0 / 2);
}

TEST(SquaredError, DoesNotDependOnTheThreads) {
  Random random(3);
  const Tensor a = RandomTensor(random, {8, 6, 20, 20});
  const Tensor b = RandomTensor(random, {8, 6, 20, 20});
  SetThreads(1);
  const double one = SquaredError(a, b, nullptr);
  SetThreads(3);
  EXPECT_EQ(SquaredError(a, b, nullptr), one);
  SetThreads(0);
}

TEST(SquaredError, ExplainsShapesThatDoNotFit) {
  EXPECT_EQ(MessageOf([] {
              SquaredError(Tensor({2, 3}), Tensor({3, 2}), nullptr);
            }),
            "objective: student's output has shape [2,3], the teacher's [3,2]");
  EXPECT_EQ(MessageOf([] { SquaredError(Tensor({2}), Tensor({2}), nullptr); }),
            "objective: activations of shape [2] have no channels");
}

TEST(ChannelMoments, AreThoseOfAllBatchesTogether) {
  Random random(4);
  const Tensor first = RandomTensor(random, {3, 2, 4, 5});
  Tensor second = RandomTensor(random, {2, 2, 4, 5});
  for (float& v : second.values()) v = 3 * v + 100;
  ChannelMoments moments;
  moments.Add(first);
  moments.Add(second);
  double variance = 0;
  for (int64_t c = 0; c < 2; ++c) {
    std::vector<double> values;
    for (const Tensor* t : std::vector<const Tensor*>{&first, &second}) {
      for (int64_t i = 0; i < t->size(); ++i) {
        if (i / 20 % 2 == c) values.push_back((*t)[i]);
      }
    }
    double mean = 0;
    for (const double v : values) mean += v / static_cast<double>(values.size());
    for (const double v : values) variance += (v - mean) * (v - mean) / 100;
    EXPECT_NEAR(moments.Means().at(static_cast<size_t>(c)), mean, 1e-9);
  }
  EXPECT_NEAR(moments.SummedVariance(), variance, 1e-7);
}

}  // namespace
}  // namespace sparsify

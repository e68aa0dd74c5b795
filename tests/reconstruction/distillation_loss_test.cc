#include "reconstruction/distillation_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "sparsity/base/parallel.h"
#include "tests/support/gradient_check.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::ExpectDifferences;
using testing::MessageOf;
using testing::RandomTensor;
using testing::ToArray;
using Values = std::vector<double>;

TEST(SquaredLoss, IsTheSquaredDifferenceWithItsGradient) {
  Random random(2);
  const Tensor student = RandomTensor(random, {2, 3, 4});
  const Tensor teacher = RandomTensor(random, {2, 3, 4});
  const Values t = ToArray(teacher).values;
  const auto reference = [&](const Values& s) {
    double sum = 0;
    for (size_t i = 0; i < s.size(); ++i) sum += (s[i] - t[i]) * (s[i] - t[i]);
    return 0.3 * sum;
  };
  Tensor gradient;
  EXPECT_NEAR(SquaredLoss(student, teacher, 0.3, &gradient), reference(ToArray(student).values),
              1e-9);
  ExpectDifferences(gradient, ToArray(student).values, reference);
}

TEST(SquaredLoss, DoesNotDependOnThreads) {
  Random random(3);
  const Tensor student = RandomTensor(random, {5, 40000});
  const Tensor teacher = RandomTensor(random, {5, 40000});
  SetThreads(1);
  const double one = SquaredLoss(student, teacher, 1, nullptr);
  SetThreads(4);
  EXPECT_EQ(SquaredLoss(student, teacher, 1, nullptr), one);
  SetThreads(0);
  EXPECT_NEAR(one, 2.0 * 200000, 5000);
}

TEST(SquaredLoss, SaysWhatDoesNotFit) {
  const Tensor a(Shape{2, 3});
  EXPECT_EQ(MessageOf([&] {
              SquaredLoss(a, Tensor(Shape{3, 2}), 1, nullptr);
            }),
            "polish: the student's output has shape [2,3], the dense network's [3,2]");
}

}  // namespace
}  // namespace sparsify

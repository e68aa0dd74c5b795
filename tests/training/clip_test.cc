#include "sparsity/training/clip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "sparsity/base/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::MessageOf;
using testing::RandomTensor;

TEST(ClipGradients, ScalesByTheNormOfAllTogether) {
  Tensor a({2}, {3, 0});
  Tensor b({1, 2}, {0, -4});
  Tensor* const both[] = {&a, &b};
  EXPECT_DOUBLE_EQ(ClipGradients(both, 1.25), 5);
  // As torch.nn.utils.clip_grad_norm_: 1.25 / (5 + 1e-6).
  const double factor = 1.25 / 5.000001;
  EXPECT_FLOAT_EQ(a[0], static_cast<float>(3 * factor));
  EXPECT_FLOAT_EQ(b[1], static_cast<float>(-4 * factor));
  EXPECT_EQ(a[1], 0);
}

TEST(ClipGradients, LeavesSmallAndBrokenOnes) {
  Tensor a({2}, {3, -4});
  Tensor* const one[] = {&a};
  EXPECT_DOUBLE_EQ(ClipGradients(one, 5.5), 5);
  EXPECT_THAT(a.values(), ElementsAre(3, -4));
  a[0] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(std::isinf(ClipGradients(one, 1)));
  EXPECT_EQ(a[1], -4);
  a[0] = std::nanf("");
  EXPECT_TRUE(std::isnan(ClipGradients(one, 1)));
  EXPECT_EQ(a[1], -4);
  EXPECT_EQ(ClipGradients({}, 1), 0);
}

// Longer than a chunk, so that several threads take part.
TEST(ClipGradients, IsTheSameOnAnyThreads) {
  Random random(1);
  const Tensor long_one = RandomTensor(random, {50001});
  const Tensor short_one = RandomTensor(random, {7});
  double expected = 0;
  for (const float x : long_one.values()) expected += double{x} * x;
  for (const float x : short_one.values()) expected += double{x} * x;
  const auto run = [&](int threads) {
    SetThreads(threads);
    Tensor a = long_one;
    Tensor b = short_one;
    Tensor* const both[] = {&a, &b};
    EXPECT_NEAR(ClipGradients(both, 2), std::sqrt(expected), 1e-9);
    SetThreads(0);
    double square = 0;
    for (const Tensor* tensor : both) {
      for (const float x : tensor->values()) square += double{x} * x;
    }
    EXPECT_NEAR(std::sqrt(square), 2, 1e-6);
    return a;
  };
  EXPECT_TRUE(testing::Same(run(1), run(4)));
}

TEST(ClipGradients, SaysThatTheNormMustBePositive) {
  EXPECT_EQ(MessageOf([] { ClipGradients({}, 0); }), "gradient clipping: norm 0, expected above 0");
  EXPECT_EQ(MessageOf([] { ClipGradients({}, std::nan("")); }),
            "gradient clipping: norm nan, expected above 0");
}

}  // namespace
}  // namespace sparsify

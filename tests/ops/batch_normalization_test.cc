#include "sparsity/ops/batch_normalization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/reference/normalization.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::Close;
using ::testing::HasSubstr;
using testing::MessageOf;
using testing::RandomInt;
using testing::RandomTensor;
using testing::RunOp;
using testing::Same;
using testing::ToArray;
using Ints = std::vector<int64_t>;

TEST(BatchNormalization, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const int64_t channels = RandomInt(random, 1, 9);
    std::vector<int64_t> dims = {RandomInt(random, 1, 3), channels};
    for (uint64_t i = 0; i < seed % 4; ++i) dims.push_back(RandomInt(random, 1, 6));
    const Tensor x = RandomTensor(random, Shape(dims));
    const Tensor scale = RandomTensor(random, {channels});
    const Tensor bias = RandomTensor(random, {channels});
    const Tensor mean = RandomTensor(random, {channels});
    Tensor variance = RandomTensor(random, {channels});
    for (float& v : variance.values()) v = v * v;
    const double epsilon = seed % 2 == 0 ? 1e-3 : 1e-5;
    const Tensor y = RunOp(OpType::kBatchNormalization, {&x, &scale, &bias, &mean, &variance},
                           {{"epsilon", epsilon}})[0];
    const auto negative_mean = reference::Map(ToArray(mean), [](double v) { return -std::abs(v); });
    const auto expected = BatchNormalization(ToArray(x), ToArray(scale), ToArray(bias),
                                             ToArray(mean), ToArray(variance), epsilon);
    const auto magnitude =
        BatchNormalization(Abs(ToArray(x)), Abs(ToArray(scale)), Abs(ToArray(bias)), negative_mean,
                           ToArray(variance), epsilon);
    EXPECT_TRUE(Close(y, expected, magnitude, 4));
  }
}

TEST(BatchNormalization, ExplainsWhatDoesNotFit) {
  const Tensor x(Shape{1, 3, 2, 2});
  const Tensor three(Shape{3});
  const Tensor two(Shape{2});
  Tensor negative(Shape{3});
  negative[1] = -1;
  const auto message = [&](const Tensor* variance, testing::AttributeList a = {}) {
    return MessageOf([&] {
      RunOp(OpType::kBatchNormalization, {&x, &three, &three, &three, variance}, a);
    });
  };
  EXPECT_THAT(message(&two), HasSubstr("input 4 has shape [2], [3] expected for [1,3,2,2]"));
  EXPECT_THAT(message(&three, {{"training_mode", int64_t{1}}}), HasSubstr("training_mode 1"));
  EXPECT_THAT(message(&negative), HasSubstr("variance -1 of channel 1 is not positive"));
}

}  // namespace
}  // namespace sparsify

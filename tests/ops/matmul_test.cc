#include "sparsity/ops/matmul.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/reference/linear.h"
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

void ExpectAgreement(const Tensor& a, const Tensor& b, bool trans_b) {
  SCOPED_TRACE(a.shape().ToString() + " x " + b.shape().ToString());
  const Tensor y = RunOp(OpType::kMatMul, {&a, &b}, {{"transB", int64_t{trans_b}}})[0];
  const auto right = trans_b ? SwapLastTwo(ToArray(b)) : ToArray(b);
  const auto expected = MatMul(ToArray(a), right);
  const auto magnitude = MatMul(Abs(ToArray(a)), Abs(right));
  EXPECT_TRUE(Close(y, expected, magnitude, static_cast<double>(a.shape()[-1]) + 2));
}

TEST(MatMul, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Random random(seed);
    const int64_t m = RandomInt(random, 1, 9);
    const int64_t n = RandomInt(random, 1, 20);
    const int64_t k = RandomInt(random, 1, 40);
    const bool trans_b = seed % 2 == 0;
    const auto right = [&](std::vector<int64_t> batch) {
      batch.push_back(trans_b ? n : k);
      batch.push_back(trans_b ? k : n);
      return RandomTensor(random, Shape(batch));
    };
    ExpectAgreement(RandomTensor(random, {m, k}), right({}), trans_b);
    ExpectAgreement(RandomTensor(random, {2, 3, m, k}), right({}), trans_b);
    ExpectAgreement(RandomTensor(random, {2, 3, m, k}), right({2, 3}), trans_b);
    ExpectAgreement(RandomTensor(random, {2, 1, m, k}), right({3}), trans_b);
    ExpectAgreement(RandomTensor(random, {m, k}), right({3, 2}), trans_b);
    ExpectAgreement(RandomTensor(random, {4, 1, m, k}), right({1, 2}), trans_b);
  }
}

TEST(MatMul, TreatsVectorsAsNumpyDoes) {
  const Tensor row({2}, {1, 2});
  const Tensor matrix({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor column({3}, {1, 0, 2});
  EXPECT_TRUE(Same(RunOp(OpType::kMatMul, {&row, &matrix})[0], Tensor({3}, {9, 12, 15})));
  EXPECT_TRUE(Same(RunOp(OpType::kMatMul, {&matrix, &column})[0], Tensor({2}, {7, 16})));
  EXPECT_TRUE(Same(RunOp(OpType::kMatMul, {&row, &row})[0], Tensor(Shape{}, {5})));
}

TEST(MatMul, ExplainsWhatDoesNotFit) {
  const Tensor a(Shape{2, 2, 3});
  const Tensor b(Shape{4, 2});
  const Tensor c(Shape{3, 3, 4});
  const auto message = [](std::vector<const Tensor*> inputs, int64_t trans_b) {
    return MessageOf([&] { RunOp(OpType::kMatMul, inputs, {{"transB", trans_b}}); });
  };
  EXPECT_EQ(message({&a, &b}, 0),
            "MatMul \"node\": left [2,2,3] offers 3 features, right [4,2] expects 4");
  EXPECT_THAT(message({&a, &b}, 1), HasSubstr("right [4,2] expects 2"));
  EXPECT_THAT(message({&a, &c}, 0), HasSubstr("shapes [2] and [3] do not broadcast"));
}

}  // namespace
}  // namespace sparsify

#include "sparsity/ops/gemm.h"

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

TEST(Gemm, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 64; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const int64_t m = RandomInt(random, 1, 17);
    const int64_t n = RandomInt(random, 1, 33);
    const int64_t k = RandomInt(random, 1, 70);
    const bool trans_a = (seed & 1) != 0;
    const bool trans_b = (seed & 2) != 0;
    const Tensor a = RandomTensor(random, trans_a ? Shape{k, m} : Shape{m, k});
    const Tensor b = RandomTensor(random, trans_b ? Shape{n, k} : Shape{k, n});
    const Shape c_shapes[] = {{}, {1}, {n}, {1, n}, {m, 1}, {m, n}, {1, 1}};
    const Tensor c = RandomTensor(random, c_shapes[seed % 7]);
    const bool has_c = seed % 3 != 0;
    const double alpha = seed % 5 == 0 ? 1 : 0.75;
    const double beta = seed % 4 == 0 ? 1 : -1.5;
    const Tensor y = RunOp(OpType::kGemm, {&a, &b, has_c ? &c : nullptr},
                           {{"transA", int64_t{trans_a}},
                            {"transB", int64_t{trans_b}},
                            {"alpha", alpha},
                            {"beta", beta}})[0];
    const auto bias = ToArray(c);
    const auto bias_size = Abs(bias);
    const auto expected =
        Gemm(ToArray(a), ToArray(b), has_c ? &bias : nullptr, trans_a, trans_b, alpha, beta);
    const auto magnitude = Gemm(Abs(ToArray(a)), Abs(ToArray(b)), has_c ? &bias_size : nullptr,
                                trans_a, trans_b, alpha, std::abs(beta));
    EXPECT_TRUE(Close(y, expected, magnitude, static_cast<double>(k) + 4));
  }
}

TEST(Gemm, ExplainsWhatDoesNotFit) {
  const Tensor x(Shape{2, 5});
  const Tensor w(Shape{3, 4});
  const Tensor fits(Shape{3, 5});
  const Tensor bias(Shape{2});
  const Tensor cube(Shape{2, 5, 1});
  const auto message = [](std::vector<const Tensor*> inputs) {
    return MessageOf([&] { RunOp(OpType::kGemm, inputs, {{"transB", int64_t{1}}}); });
  };
  EXPECT_EQ(message({&x, &w}),
            "Gemm \"node\": input [2,5] offers 5 features, weight [3,4] expects 4");
  EXPECT_THAT(message({&x, &fits, &bias}), HasSubstr("bias [2] does not broadcast to [2,3]"));
  EXPECT_THAT(message({&cube, &w}), HasSubstr("must both be matrices"));
}

}  // namespace
}  // namespace sparsify

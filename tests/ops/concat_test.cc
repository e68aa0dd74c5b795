#include "sparsity/ops/concat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/reference/movement.h"
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

TEST(Concat, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<int64_t> dims;
    const int64_t rank = RandomInt(random, 1, 5);
    for (int64_t i = 0; i < rank; ++i) dims.push_back(RandomInt(random, 1, 5));
    const int64_t axis = RandomInt(random, 0, rank - 1);
    std::vector<Tensor> parts;
    std::vector<reference::Array> arrays;
    for (int64_t i = RandomInt(random, 1, 4); i > 0; --i) {
      dims[static_cast<size_t>(axis)] = RandomInt(random, 1, 5);
      parts.push_back(RandomTensor(random, Shape(dims)));
      arrays.push_back(ToArray(parts.back()));
    }
    std::vector<const Tensor*> inputs;
    for (const Tensor& part : parts) inputs.push_back(&part);
    const int64_t given = seed % 2 == 0 ? axis : axis - rank;
    EXPECT_TRUE(Close(RunOp(OpType::kConcat, inputs, {{"axis", given}})[0],
                      Concat(arrays, static_cast<size_t>(axis)), 0));
  }
}

TEST(Concat, ExplainsWhatDoesNotFit) {
  const Tensor a(Shape{1, 2, 3});
  const Tensor b(Shape{1, 2, 4});
  const Tensor c(Shape{1, 2});
  EXPECT_EQ(MessageOf([&] {
              RunOp(OpType::kConcat, {&a, &b}, {{"axis", int64_t{1}}});
            }),
            "Concat \"node\": input 1 has shape [1,2,4], which differs from [1,2,3] in more than "
            "axis 1");
  EXPECT_THAT(MessageOf([&] {
                RunOp(OpType::kConcat, {&a, &c}, {{"axis", int64_t{1}}});
              }),
              HasSubstr("input 1 has shape [1,2]"));
  EXPECT_THAT(MessageOf([&] {
                RunOp(OpType::kConcat, {&a, &b});
              }),
              HasSubstr("attribute axis is missing"));
  EXPECT_THAT(MessageOf([&] {
                RunOp(OpType::kConcat, {}, {{"axis", int64_t{1}}});
              }),
              HasSubstr("has no input"));
}

}  // namespace
}  // namespace sparsify

// Gradients of the operators that move elements.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/reference/movement.h"
#include "tests/support/compare.h"
#include "tests/support/gradient_check.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using reference::Array;
using testing::ExpectGradients;
using testing::RandomTensor;
using Arrays = std::vector<Array>;
using Ints = std::vector<int64_t>;

TEST(ConcatBackward, AgreesWithDifferences) {
  Random random(1);
  const auto forward = [](const Arrays& in) { return Arrays{Concat(in, 1)}; };
  ExpectGradients({OpType::kConcat,
                   {RandomTensor(random, {2, 1, 3}), RandomTensor(random, {2, 4, 3}),
                    RandomTensor(random, {2, 2, 3})},
                   {{"axis", int64_t{-2}}},
                   forward,
                   1},
                  1);
}

TEST(SplitBackward, AgreesWithDifferencesAndTakesAnAbsentGradientAsZero) {
  Random random(1);
  const Tensor x = RandomTensor(random, {2, 5, 3});
  const auto forward = [](const Arrays& in) {
    return Arrays{Slice(in[0], 1, 0, 2, 1), Slice(in[0], 1, 2, 5, 1)};
  };
  const testing::AttributeList attributes = {{"axis", int64_t{1}}, {"split", Ints{2, 3}}};
  ExpectGradients({OpType::kSplit, {x}, attributes, forward, 1}, 1);
  const Tensor narrow({1, 3}, {1, 2, 3});
  const Tensor g({1, 2}, {5, 7});
  const auto made = testing::RunBackward(
      OpType::kSplit, {&narrow}, {{"axis", int64_t{1}}, {"split", Ints{1, 2}}}, {nullptr, &g}, {0});
  EXPECT_TRUE(testing::Same(made[0], Tensor({1, 3}, {0, 5, 7})));
}

TEST(SliceBackward, AgreesWithDifferences) {
  Random random(1);
  const Tensor x = RandomTensor(random, {4, 7, 3});
  const auto forward = [](const Arrays& in) {
    return Arrays{Slice(Slice(in[0], 1, 6, 0, -2), 0, 1, 3, 1)};
  };
  ExpectGradients(
      {OpType::kSlice,
       {x},
       {{"starts", Ints{6, 1}}, {"ends", Ints{0, 3}}, {"axes", Ints{1, 0}}, {"steps", Ints{-2, 1}}},
       forward,
       1},
      1);
}

TEST(PadBackward, AgreesWithDifferencesInEveryMode) {
  Random random(1);
  const Tensor x = RandomTensor(random, {2, 3, 4});
  for (const std::string mode : {"constant", "reflect", "edge"}) {
    SCOPED_TRACE(mode);
    const Ints begin = mode == "constant" ? Ints{1, -1, 2} : Ints{1, 1, 2};
    const Ints end = {0, 2, 1};
    const auto forward = [&](const Arrays& in) {
      return Arrays{Pad(in[0], begin, end, mode, 0.5)};
    };
    Ints pads = begin;
    pads.insert(pads.end(), end.begin(), end.end());
    ExpectGradients(
        {OpType::kPad, {x}, {{"pads", pads}, {"mode", mode}, {"constant_value", 0.5}}, forward, 30},
        1);
  }
}

TEST(TransposeBackward, AgreesWithDifferences) {
  Random random(1);
  const Tensor x = RandomTensor(random, {2, 3, 4, 2});
  const auto forward = [](const Arrays& in) { return Arrays{Transpose(in[0], {2, 0, 3, 1})}; };
  ExpectGradients({OpType::kTranspose, {x}, {{"perm", Ints{2, 0, 3, 1}}}, forward, 1}, 1);
}

TEST(CopyBackward, KeepsTheElements) {
  Random random(1);
  const Tensor x = RandomTensor(random, {2, 3, 4});
  const auto view = [](const Ints& dims) {
    return [dims](const Arrays& in) { return Arrays{Array{dims, in[0].values}}; };
  };
  ExpectGradients({OpType::kFlatten, {x}, {}, view({2, 12}), 1}, 1);
  ExpectGradients({OpType::kReshape, {x}, {{"shape", Ints{4, -1}}}, view({4, 6}), 1}, 2);
  ExpectGradients({OpType::kIdentity, {x}, {}, view({2, 3, 4}), 1}, 3);
  ExpectGradients({OpType::kDropout, {x}, {}, view({2, 3, 4}), 1}, 4);
}

}  // namespace
}  // namespace sparsify

#include "sparsity/ops/pad.h"

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

TEST(Pad, AgreesWithReference) {
  const std::string modes[] = {"constant", "reflect", "edge"};
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const std::string& mode = modes[seed % 3];
    std::vector<int64_t> dims;
    Ints begin;
    Ints end;
    for (int64_t i = RandomInt(random, 1, 4); i > 0; --i) {
      const int64_t dim = RandomInt(random, 2, 6);
      const int64_t low = mode == "constant" ? -(dim - 1) / 2 : 0;
      const int64_t high = mode == "reflect" ? dim - 1 : 4;
      dims.push_back(dim);
      begin.push_back(RandomInt(random, low, high));
      end.push_back(RandomInt(random, low, high));
    }
    Ints pads = begin;
    pads.insert(pads.end(), end.begin(), end.end());
    const Tensor x = RandomTensor(random, Shape(dims));
    EXPECT_TRUE(Close(
        RunOp(OpType::kPad, {&x}, {{"pads", pads}, {"mode", mode}, {"constant_value", -2.5}})[0],
        reference::Pad(ToArray(x), begin, end, mode, -2.5), 0));
  }
}

TEST(Pad, OfSomeAxes) {
  const Tensor x({1, 2}, {1, 2});
  EXPECT_TRUE(Same(RunOp(OpType::kPad, {&x}, {{"pads", Ints{1, 2}}, {"axes", Ints{-1}}})[0],
                   Tensor({1, 5}, {0, 1, 2, 0, 0})));
}

TEST(Pad, ExplainsWhatDoesNotFit) {
  const Tensor x(Shape{2, 3});
  const auto message = [&](testing::AttributeList attributes) {
    return MessageOf([&] { RunOp(OpType::kPad, {&x}, attributes); });
  };
  EXPECT_EQ(message({{"pads", Ints{1, 1}}}), "Pad \"node\": 2 pads given for 2 axes, 4 expected");
  EXPECT_THAT(message({}), HasSubstr("attribute pads is missing"));
  EXPECT_THAT(message({{"pads", Ints{0, 3, 0, 0}}, {"mode", std::string("reflect")}}),
              HasSubstr("pad 3 of axis 1 does not fit [2,3] in mode reflect"));
  EXPECT_THAT(message({{"pads", Ints{0, -1, 0, 0}}, {"mode", std::string("edge")}}),
              HasSubstr("pad -1 of axis 1 does not fit"));
  EXPECT_THAT(message({{"pads", Ints{0, 0, 0, 0}}, {"mode", std::string("wrap")}}),
              HasSubstr("unknown mode \"wrap\"; known: constant, reflect, edge"));
  EXPECT_THAT(message({{"pads", Ints{-1, 0, -1, 0}}}), HasSubstr("has shape [0,3]"));
  EXPECT_THAT(message({{"pads", Ints{1LL << 62, 0, 1LL << 62, 0}}}), HasSubstr("does not fit"));
  EXPECT_THAT(message({{"pads", Ints{1LL << 30, 0, 1LL << 30, 0}}}),
              HasSubstr("would exceed 2^32 elements"));
}

}  // namespace
}  // namespace sparsify

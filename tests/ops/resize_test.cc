#include "sparsity/ops/resize.h"

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

using Floats = std::vector<double>;

testing::AttributeList AttributesOf(const reference::ResizeSettings& s) {
  return {{"mode", s.mode},
          {"coordinate_transformation_mode", s.coordinates},
          {"nearest_mode", s.rounding}};
}

// A size ratio of small integers, so that ties between two neighbours are exact in float
// and double alike.
TEST(Resize, AgreesWithReference) {
  const std::string coordinates[] = {"half_pixel", "pytorch_half_pixel", "asymmetric",
                                     "align_corners"};
  const std::string roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  for (uint64_t seed = 0; seed < 160; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const reference::ResizeSettings settings = {seed % 5 < 3 ? "nearest" : "linear",
                                                coordinates[seed % 4], roundings[seed / 4 % 4]};
    const Tensor x = RandomTensor(random, {RandomInt(random, 1, 2), RandomInt(random, 1, 3),
                                           RandomInt(random, 1, 4) * 2, RandomInt(random, 1, 8)});
    const Floats factors = {0.25, 0.5, 1, 2, 4};
    Floats scales = {1, 1, factors[1 + random.Below(4)], factors[2 + random.Below(3)]};
    Ints sizes;
    for (size_t i = 0; i < 4; ++i) {
      sizes.push_back(
          static_cast<int64_t>(std::floor(static_cast<double>(x.shape().dims()[i]) * scales[i])));
    }
    auto attributes = AttributesOf(settings);
    if (seed % 2 == 0) {
      attributes.emplace_back("scales", scales);
    } else {
      attributes.emplace_back("sizes", sizes);
    }
    const auto expected = Resize(ToArray(x), sizes, scales, settings);
    const auto magnitude = reference::Map(expected, [](double) { return 4.0; });
    EXPECT_TRUE(Close(RunOp(OpType::kResize, {&x}, attributes)[0], expected, magnitude,
                      settings.mode == "linear" ? 24 : 0));
  }
}

TEST(Resize, LinearToAnySize) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Tensor x = RandomTensor(random, {1, 2, RandomInt(random, 1, 9), RandomInt(random, 1, 9)});
    const Ints sizes = {1, 2, RandomInt(random, 1, 20), RandomInt(random, 1, 20)};
    Floats scales;
    for (size_t i = 0; i < 4; ++i) {
      scales.push_back(static_cast<double>(sizes[i]) / static_cast<double>(x.shape().dims()[i]));
    }
    reference::ResizeSettings settings;
    settings.mode = "linear";
    settings.coordinates = seed % 2 == 0 ? "half_pixel" : "align_corners";
    auto attributes = AttributesOf(settings);
    attributes.emplace_back("sizes", Ints{sizes[2], sizes[3]});
    attributes.emplace_back("axes", Ints{-2, 3});
    const auto expected = Resize(ToArray(x), sizes, scales, settings);
    // Coordinates reach 20 with about 4 roundings; they multiply differences below 8.
    const auto magnitude = reference::Map(expected, [](double) { return 8.0; });
    EXPECT_TRUE(Close(RunOp(OpType::kResize, {&x}, attributes)[0], expected, magnitude, 100));
  }
}

TEST(Resize, DoublesAsExpectedByHand) {
  const Tensor x({1, 1, 1, 2}, {1, 3});
  EXPECT_TRUE(Same(RunOp(OpType::kResize, {&x}, {{"scales", Floats{1, 1, 1, 2}}})[0],
                   Tensor({1, 1, 1, 4}, {1, 1, 3, 3})));
  EXPECT_TRUE(Same(RunOp(OpType::kResize, {&x},
                         {{"scales", Floats{1, 1, 1, 2}}, {"mode", std::string("linear")}})[0],
                   Tensor({1, 1, 1, 4}, {1, 1.5F, 2.5F, 3})));
}

TEST(Resize, KeepsADimensionOfSizeMinusOne) {
  const Tensor x({3, 1, 1, 1}, {1, 2, 3});
  EXPECT_EQ(RunOp(OpType::kResize, {&x}, {{"sizes", Ints{-1, 1, 2, 4}}})[0].shape(),
            (Shape{3, 1, 2, 4}));
}

TEST(Resize, ExplainsWhatIsNotSupported) {
  const Tensor x(Shape{1, 1, 4, 4});
  const Floats twice = {1, 1, 2, 2};
  const auto message = [&](testing::AttributeList attributes) {
    return MessageOf([&] { RunOp(OpType::kResize, {&x}, attributes); });
  };
  EXPECT_EQ(message({{"scales", twice}, {"mode", std::string("cubic")}}),
            "Resize \"node\": mode \"cubic\" is not supported; supported: nearest, linear");
  EXPECT_THAT(message({{"scales", twice},
                       {"coordinate_transformation_mode", std::string("tf_crop_and_resize")}}),
              HasSubstr("\"tf_crop_and_resize\" is not supported; supported: half_pixel"));
  EXPECT_THAT(message({{"scales", twice}, {"antialias", int64_t{1}}}), HasSubstr("antialias 1"));
  EXPECT_THAT(message({}), HasSubstr("0 scales and 0 sizes given for 4 axes"));
  EXPECT_THAT(message({{"scales", twice}, {"sizes", Ints{1, 1, 8, 8}}}),
              HasSubstr("4 scales and 4 sizes given"));
  EXPECT_THAT(message({{"scales", Floats{1, 1, 1e-3, 1}}}), HasSubstr("resized to 0 elements"));
  EXPECT_THAT(message({{"scales", Floats{1, 1, 1e300, 1}}}), HasSubstr("would be resized to"));
  EXPECT_THAT(message({{"scales", Floats{1, 1, std::nan(""), 1}}}), HasSubstr("would be resized"));
}

}  // namespace
}  // namespace sparsify

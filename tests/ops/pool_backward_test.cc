// Gradients of the pools and means.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "sparsity/ops/channel_blocks.h"
#include "sparsity/ops/pool.h"
#include "tests/reference/pool.h"
#include "tests/support/blocked.h"
#include "tests/support/compare.h"
#include "tests/support/gradient_check.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using reference::Array;
using testing::Blocked;
using testing::ExpectGradients;
using testing::RandomInt;
using testing::RandomTensor;
using Ints = std::vector<int64_t>;

TEST(PoolBackward, AgreesWithDifferences) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Random random(seed);
    reference::PoolSettings s;
    s.ceil_mode = random.Below(2) == 0;
    s.count_include_pad = random.Below(2) == 0;
    Ints size;
    for (size_t i = 0; i < 2; ++i) {
      s.kernel[i] = RandomInt(random, 1, 4);
      s.strides[i] = RandomInt(random, 1, 4);
      s.dilations[i] = RandomInt(random, 1, 2);
      const int64_t extent = (s.kernel[i] - 1) * s.dilations[i] + 1;
      s.pads[i] = RandomInt(random, 0, s.kernel[i] - 1);
      s.pads[i + 2] = RandomInt(random, 0, s.kernel[i] - 1);
      size.push_back(std::max<int64_t>(1, extent - s.pads[i] - s.pads[i + 2]) +
                     RandomInt(random, 0, 5));
    }
    const Tensor x = RandomTensor(random, {2, 2, size[0], size[1]});
    const testing::AttributeList attributes = {
        {"kernel_shape", s.kernel},          {"strides", s.strides},
        {"dilations", s.dilations},          {"pads", s.pads},
        {"ceil_mode", int64_t{s.ceil_mode}}, {"count_include_pad", int64_t{s.count_include_pad}}};
    const auto largest = [&](const std::vector<Array>& in) {
      return std::vector<Array>{MaxPool(in[0], s)};
    };
    const auto average = [&](const std::vector<Array>& in) {
      return std::vector<Array>{AveragePool(in[0], s)};
    };
    ExpectGradients({OpType::kMaxPool, {x}, attributes, largest, 20}, seed);
    ExpectGradients({OpType::kAveragePool, {x}, attributes, average, 20}, seed);
  }
}

TEST(PoolBackward, OfChannelBlocksIsThePlainOne) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const auto ints = [&](int64_t low, int64_t high) {
      return Ints{RandomInt(random, low, high), RandomInt(random, low, high)};
    };
    Node node{"pool", OpType::kMaxPool, {0}, {1}, {}};
    const Ints kernel = ints(2, 3);
    node.attributes.Set("kernel_shape", kernel);
    node.attributes.Set("strides", ints(1, 3));
    node.attributes.Set("dilations", ints(1, 2));
    node.attributes.Set("pads", Ints{RandomInt(random, 0, 1), RandomInt(random, 0, 1), 1, 1});
    Tensor x = RandomTensor(random, {2, 32, 8, 7});
    for (float& value : x.values()) value = std::round(2 * value);  // many are equal
    const Shape y_shape = PoolOutputShapes(node, std::vector<Shape>{x.shape()})[0];
    const Tensor grad_y = RandomTensor(random, y_shape);
    Tensor y(y_shape);
    Tensor grad_x(x.shape());
    const std::vector<const Tensor*> inputs = {&x};
    MaxPoolForward(node, inputs, std::vector<Tensor*>{&y});
    MaxPoolBackward(node, inputs, {}, std::vector<const Tensor*>{&grad_y},
                    std::vector<Tensor*>{&grad_x});
    const Tensor blocked_x = Blocked(x);
    Tensor blocked_y(y_shape);
    Tensor blocked_grad(x.shape());
    MaxPoolBlocked(node, blocked_x, blocked_y);
    MaxPoolBlockedBackward(node, blocked_x, blocked_y, Blocked(grad_y), blocked_grad);
    EXPECT_TRUE(testing::Same(blocked_y, Blocked(y)));
    EXPECT_LE(testing::RelativeError(blocked_grad, Blocked(grad_x)), 1e-6);
  }
}

TEST(PoolBackward, GivesTheGradientToTheFirstOfEqualMaxima) {
  const Tensor x({1, 1, 1, 4}, {1, 2, 2, 0});
  const Tensor g({1, 1, 1, 2}, {1, 10});
  const auto made =
      testing::RunBackward(OpType::kMaxPool, {&x}, {{"kernel_shape", Ints{1, 3}}}, {&g}, {0});
  EXPECT_TRUE(testing::Same(made[0], Tensor({1, 1, 1, 4}, {0, 11, 0, 0})));
}

TEST(MeanBackward, AgreesWithDifferences) {
  Random random(1);
  const Tensor x = RandomTensor(random, {2, 3, 4, 5});
  const auto spatial = [](const std::vector<Array>& in) {
    return std::vector<Array>{Mean(in[0], {false, false, true, true})};
  };
  ExpectGradients({OpType::kGlobalAveragePool, {x}, {}, spatial, 4}, 1);
  ExpectGradients({OpType::kReduceMean, {x}, {{"axes", Ints{2, 3}}}, spatial, 4}, 2);
  const auto mixed = [](const std::vector<Array>& in) {
    Array y = Mean(in[0], {true, false, true, false});
    y.dims = {3, 5};
    return std::vector<Array>{y};
  };
  ExpectGradients(
      {OpType::kReduceMean, {x}, {{"axes", Ints{0, -2}}, {"keepdims", int64_t{0}}}, mixed, 4}, 3);
}

}  // namespace
}  // namespace sparsify

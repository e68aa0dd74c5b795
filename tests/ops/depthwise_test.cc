#include "sparsity/ops/depthwise.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/base/parallel.h"
#include "tests/reference/conv.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using reference::Array;
using testing::RandomInt;
using testing::RandomTensor;
using testing::ToArray;

struct Case {
  ConvProblem problem;
  reference::ConvSettings settings;
};

WindowAxis RandomAxis(Random& random) {
  WindowAxis a;
  a.kernel = RandomInt(random, 1, 5);
  a.stride = RandomInt(random, 1, 3);
  a.dilation = RandomInt(random, 1, 2);
  a.pad_begin = RandomInt(random, 0, 4);  // beyond the kernel too
  a.pad_end = RandomInt(random, 0, 4);
  const int64_t least = std::max<int64_t>(1, a.Extent() - a.pad_begin - a.pad_end);
  a.input = RandomInt(random, least, 40);
  a.output = (a.input + a.pad_begin + a.pad_end - a.Extent()) / a.stride + 1;
  return a;
}

Case RandomCase(Random& random) {
  Case c;
  ConvProblem& p = c.problem;
  p.batch = RandomInt(random, 1, 3);
  p.in_channels = p.out_channels = p.groups = RandomInt(random, 2, 5);
  p.window = {RandomAxis(random), RandomAxis(random)};
  const WindowAxis& h = p.window.height;
  const WindowAxis& w = p.window.width;
  c.settings.strides = {h.stride, w.stride};
  c.settings.dilations = {h.dilation, w.dilation};
  c.settings.pads = {h.pad_begin, w.pad_begin, h.pad_end, w.pad_end};
  c.settings.groups = p.groups;
  return c;
}

struct Tensors {
  Tensors(const ConvProblem& p, Random& random)
      : x(RandomTensor(random,
                       {p.batch, p.in_channels, p.window.height.input, p.window.width.input})),
        w(RandomTensor(random, {p.in_channels, 1, p.window.height.kernel, p.window.width.kernel})),
        bias(RandomTensor(random, {p.in_channels})),
        y(RandomTensor(random,
                       {p.batch, p.in_channels, p.window.height.output, p.window.width.output})) {}
  Tensor x, w, bias, y;
};

// Σ ⟨gradient, convolution⟩ is linear in x and in w: its derivatives are the gradients.
double Product(const Array& a, const Array& b) {
  double sum = 0;
  for (size_t i = 0; i < a.values.size(); ++i) sum += a.values[i] * b.values[i];
  return sum;
}

Tensor Poisoned(const Shape& shape) {
  Tensor tensor(shape);
  tensor.Fill(std::nanf(""));
  return tensor;
}

class DepthwiseTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  DepthwiseTest() : random_(GetParam()), c_(RandomCase(random_)), t_(c_.problem, random_) {}

  Random random_;
  Case c_;
  Tensors t_;
};

TEST_P(DepthwiseTest, ForwardAgreesWithTheDefinition) {
  const Array bias = ToArray(t_.bias);
  const Array expected = Conv(ToArray(t_.x), ToArray(t_.w), &bias, c_.settings);
  const Array absolute_bias = reference::Abs(bias);
  const Array magnitude = Conv(reference::Abs(ToArray(t_.x)), reference::Abs(ToArray(t_.w)),
                               &absolute_bias, c_.settings);
  Tensor y = Poisoned(t_.y.shape());
  ASSERT_TRUE(IsDepthwise(c_.problem));
  DepthwiseConv(c_.problem, t_.x.data(), t_.w.data(), t_.bias.data(), y.data());
  EXPECT_TRUE(testing::Close(y, expected, magnitude, 30));
  DepthwiseConv(c_.problem, t_.x.data(), t_.w.data(), nullptr, y.data());
  EXPECT_TRUE(
      testing::Close(y, Conv(ToArray(t_.x), ToArray(t_.w), nullptr, c_.settings), magnitude, 30));
}

TEST_P(DepthwiseTest, GradientsAreTheTransposedMaps) {
  Tensor grad_x = Poisoned(t_.x.shape());
  Tensor grad_w = Poisoned(t_.w.shape());
  DepthwiseGradInput(c_.problem, t_.w.data(), t_.y.data(), grad_x.data());
  DepthwiseGradWeight(c_.problem, t_.x.data(), t_.y.data(), grad_w.data());
  const Array y = ToArray(t_.y);
  const auto expect = [&](const Tensor& gradient, Array unit, bool of_x) {
    std::fill(unit.values.begin(), unit.values.end(), 0.0);
    for (size_t i = 0; i < unit.values.size(); i += 1 + unit.values.size() / 60) {
      unit.values[i] = 1;
      const Array image = of_x ? Conv(unit, ToArray(t_.w), nullptr, c_.settings)
                               : Conv(ToArray(t_.x), unit, nullptr, c_.settings);
      unit.values[i] = 0;
      const double bound = Product(reference::Abs(image), reference::Abs(y));
      EXPECT_NEAR(gradient[static_cast<int64_t>(i)], Product(image, y), 1e-5 * bound + 1e-12) << i;
    }
  };
  expect(grad_x, ToArray(t_.x), true);
  expect(grad_w, ToArray(t_.w), false);
}

TEST_P(DepthwiseTest, DoesNotDependOnThreads) {
  const auto run = [&](int threads) {
    SetThreads(threads);
    Tensor grad_w = Poisoned(t_.w.shape());
    DepthwiseGradWeight(c_.problem, t_.x.data(), t_.y.data(), grad_w.data());
    SetThreads(0);
    return grad_w;
  };
  EXPECT_TRUE(testing::Same(run(1), run(3)));
}

INSTANTIATE_TEST_SUITE_P(Random, DepthwiseTest, ::testing::Range<uint64_t>(0, 40));

TEST(IsDepthwise, NeedsOneChannelAGroup) {
  ConvProblem p;
  p.in_channels = p.out_channels = p.groups = 4;
  EXPECT_TRUE(IsDepthwise(p));
  p.out_channels = 8;
  EXPECT_FALSE(IsDepthwise(p));
  p.groups = 1;
  p.in_channels = p.out_channels = 1;
  EXPECT_FALSE(IsDepthwise(p));
}

}  // namespace
}  // namespace sparsify

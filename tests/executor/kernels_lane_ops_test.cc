#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "sparsity/base/error.h"
#include "sparsity/executor/kernels/depthwise.h"
#include "sparsity/executor/kernels/fully_connected.h"
#include "sparsity/executor/kernels/lane_ops.h"
#include "tests/executor/kernels_support.h"

namespace sparsify {
namespace {

using testing::GuardedBuffer;
using testing::GuardedLanes;
using testing::NaiveActivate;
using testing::Near;
using testing::RandomFloats;
using testing::Reference;

constexpr double kEpsilon = 1.0 / (1 << 23);
constexpr Activation kActivations[] = {
    {ActivationKind::kNone},         {ActivationKind::kRelu},
    {ActivationKind::kClip, 0, 0.5}, {ActivationKind::kHardSigmoid, 0.2F, 0.5F},
    {ActivationKind::kHardSwish},    {ActivationKind::kSigmoid},
    {ActivationKind::kSilu}};

int64_t Count(const LaneShape& s) { return s.batch * s.channels * s.height * s.width; }

int64_t Upto(Random& random, int64_t most) { return 1 + static_cast<int64_t>(random.Below(most)); }

LaneShape RandomShape(Random& random) {
  LaneShape shape;
  shape.lanes = std::array{1, 8, 16}[random.Below(3)];
  shape.batch = Upto(random, shape.lanes == 1 ? 3 : 2 * shape.lanes);
  shape.channels = Upto(random, 21);
  shape.height = Upto(random, 20);
  shape.width = Upto(random, 20);
  shape.halo = static_cast<int>(random.Below(3));
  return shape;
}

LaneShape WithHalo(LaneShape shape, Random& random) {
  shape.halo = static_cast<int>(random.Below(3));
  return shape;
}

class LaneOpsTest : public ::testing::TestWithParam<Isa> {
 protected:
  LaneContext Context(Random& random) const { return {GetParam(), random.Below(6) == 0 ? 3 : 1}; }
};

TEST_P(LaneOpsTest, ReordersPlaceEveryElement) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  for (int i = 0; i < 100; ++i) {
    Random random(1, i);
    const LaneShape shape = RandomShape(random);
    const LaneContext context = Context(random);
    const auto plain = RandomFloats(Count(shape), random);
    GuardedLanes lanes(shape);
    PlainToLanes(context, plain.data(), lanes.view());
    ASSERT_EQ(lanes.Plain(), plain);
    ASSERT_TRUE(lanes.Intact());
    std::vector<float> back(plain.size());
    LanesToPlain(context, lanes.view(), back.data());
    ASSERT_EQ(back, plain);
  }
}

TEST_P(LaneOpsTest, BlockedReordersPlaceEveryElement) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  for (int i = 0; i < 100; ++i) {
    Random random(2, i);
    const LaneShape shape = RandomShape(random);
    const LaneContext context = Context(random);
    const int blocks_of[] = {8, 16, static_cast<int>(shape.channels)};  // the last is NHWC
    const int block = blocks_of[random.Below(3)];
    const int64_t blocks = (shape.channels + block - 1) / block;
    const auto plain = RandomFloats(Count(shape), random);
    std::vector<float> blocked(shape.batch * blocks * shape.height * shape.width * block);
    for (int64_t n = 0, at = 0; n < shape.batch; ++n) {
      for (int64_t c = 0; c < shape.channels; ++c) {
        for (int64_t p = 0; p < shape.height * shape.width; ++p, ++at) {
          blocked[((n * blocks + c / block) * shape.height * shape.width + p) * block + c % block] =
              plain[at];
        }
      }
    }
    GuardedLanes lanes(shape);
    BlockedToLanes(context, blocked.data(), block, lanes.view());
    ASSERT_EQ(lanes.Plain(), plain);
    ASSERT_TRUE(lanes.Intact());
    const GuardedBuffer back(static_cast<int64_t>(blocked.size()) * 4);
    std::fill_n(back.floats(), blocked.size(), 9.0F);
    LanesToBlocked(context, lanes.view(), block, back.floats());
    ASSERT_EQ(std::vector<float>(back.floats(), back.floats() + blocked.size()), blocked);
  }
}

TEST_P(LaneOpsTest, ElementwiseOperatorsAgreeWithDoubles) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  for (int i = 0; i < 200; ++i) {
    Random random(3, i);
    const LaneShape shape = RandomShape(random);
    const LaneContext context = Context(random);
    const Activation activation = kActivations[random.Below(std::size(kActivations))];
    const bool broadcast = random.Below(2) == 0;
    LaneShape b_shape = WithHalo(shape, random);
    if (broadcast) b_shape.height = b_shape.width = 1;
    auto x = RandomFloats(Count(shape), random);
    for (float& value : x) value *= 20;
    const auto y = RandomFloats(Count(b_shape), random);
    GuardedLanes a(WithHalo(shape, random));
    GuardedLanes b(b_shape);
    GuardedLanes out(shape);
    a.Fill(x);
    b.Fill(y);
    const int64_t plane = shape.height * shape.width;
    const auto expect = [&](auto body) {
      Reference reference;
      for (size_t j = 0; j < x.size(); ++j) {
        const double other = y[broadcast ? j / plane : j];
        const double value = NaiveActivate(activation, body(double{x[j]}, other));
        reference.value.push_back(value);
        reference.bound.push_back(kEpsilon * (8 * std::abs(value) + 2 * std::abs(x[j]) + 2));
      }
      return reference;
    };
    Multiply(context, a.view(), b.view(), activation, out.view());
    ASSERT_TRUE(Near(out.Plain(), expect([](double u, double v) { return u * v; })));
    ASSERT_TRUE(out.Intact());
    ActivateLanes(context, a.view(), activation, out.view());
    ASSERT_TRUE(Near(out.Plain(), expect([](double u, double) { return u; })));
    if (!broadcast) {
      Add(context, a.view(), b.view(), activation, a.view());
      ASSERT_TRUE(Near(a.Plain(), expect([](double u, double v) { return u + v; })));
      ASSERT_TRUE(a.Intact());
    }
  }
}

TEST_P(LaneOpsTest, ConcatenationCopiesIntoChannelRanges) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  Random random(4);
  for (const int lanes : {1, 8, 16}) {
    const LaneShape wide{.batch = 9, .channels = 5, .height = 3, .width = 4, .lanes = lanes};
    LaneShape narrow = wide;
    narrow.channels = 2;
    narrow.halo = 1;
    const auto plain = RandomFloats(Count(narrow), random);
    GuardedLanes in(narrow);
    in.Fill(plain);
    GuardedLanes out(wide);
    const LaneContext context{GetParam(), 2};
    CopyLanes(context, in.view(), ChannelRange(out.view(), 1, 2));
    GuardedLanes back(narrow);
    CopyLanes(context, ChannelRange(out.view(), 1, 2), back.view());
    EXPECT_EQ(back.Plain(), plain);
    EXPECT_TRUE(back.Intact());
    const auto all = out.Plain();
    for (size_t i = 0; i < all.size(); ++i) {
      const size_t channel = i / 12 % 5;
      if (channel < 1 || channel > 2) {
        ASSERT_EQ(all[i], 0.0F);
      }
    }
  }
}

/// One output of a pool, in double.
double NaivePool(bool max, const PoolGeometry& p, const LaneShape& in, const float* plane,
                 int64_t oy, int64_t ox) {
  double value = max ? -std::numeric_limits<double>::infinity() : 0;
  int64_t inside = 0;
  int64_t padded = 0;
  for (int64_t kh = 0; kh < p.kernel_h; ++kh) {
    for (int64_t kw = 0; kw < p.kernel_w; ++kw) {
      const int64_t y = oy * p.stride_h - p.pad_top + kh;
      const int64_t x = ox * p.stride_w - p.pad_left + kw;
      if (y < in.height + p.pad_bottom && x < in.width + p.pad_right) ++padded;
      if (y < 0 || y >= in.height || x < 0 || x >= in.width) continue;
      ++inside;
      const double element = plane[y * in.width + x];
      value = max ? std::max(value, element) : value + element;
    }
  }
  if (inside == 0) return 0;
  return max ? value : value / static_cast<double>(p.count_include_pad ? padded : inside);
}

TEST_P(LaneOpsTest, PoolsAgreeWithTheNaiveWindow) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  for (int i = 0; i < 300; ++i) {
    Random random(5, i);
    LaneShape shape = RandomShape(random);
    PoolGeometry pool;
    pool.kernel_h = Upto(random, 4);
    pool.kernel_w = Upto(random, 4);
    pool.stride_h = Upto(random, 3);
    pool.stride_w = Upto(random, 3);
    pool.pad_top = static_cast<int64_t>(random.Below(pool.kernel_h + 1));
    pool.pad_left = static_cast<int64_t>(random.Below(pool.kernel_w + 1));
    pool.pad_bottom = static_cast<int64_t>(random.Below(3));
    pool.pad_right = static_cast<int64_t>(random.Below(3));
    pool.count_include_pad = random.Below(2) == 0;
    shape.height = std::max(shape.height, pool.kernel_h);
    shape.width = i % 50 == 0 ? 2000 : std::max(shape.width, pool.kernel_w);
    if (i % 50 == 0) shape.batch = shape.channels = 1;
    if (i % 100 == 0) pool.kernel_w = 1200;
    LaneShape out_shape = WithHalo(shape, random);
    const auto size = [](int64_t in, int64_t pads, int64_t kernel, int64_t stride, bool ceil) {
      return (in + pads - kernel + (ceil ? stride - 1 : 0)) / stride + 1;
    };
    const bool ceil = random.Below(2) == 0;
    out_shape.height =
        size(shape.height, pool.pad_top + pool.pad_bottom, pool.kernel_h, pool.stride_h, ceil);
    out_shape.width =
        size(shape.width, pool.pad_left + pool.pad_right, pool.kernel_w, pool.stride_w, ceil);
    const bool max = random.Below(2) == 0;
    const auto x = RandomFloats(Count(shape), random);
    GuardedLanes in(shape);
    in.Fill(x);
    GuardedLanes out(out_shape);
    const LaneContext context = Context(random);
    if (max) {
      MaxPool(context, pool, in.view(), out.view());
    } else {
      AveragePool(context, pool, in.view(), out.view());
    }
    Reference expected;
    for (int64_t plane = 0; plane < shape.batch * shape.channels; ++plane) {
      for (int64_t oy = 0; oy < out_shape.height; ++oy) {
        for (int64_t ox = 0; ox < out_shape.width; ++ox) {
          expected.value.push_back(
              NaivePool(max, pool, shape, x.data() + plane * shape.height * shape.width, oy, ox));
          // The magnitudes of a window add up to at most its size.
          expected.bound.push_back(kEpsilon * static_cast<double>(pool.kernel_h * pool.kernel_w));
        }
      }
    }
    ASSERT_TRUE(Near(out.Plain(), expected)) << "case " << i;
    ASSERT_TRUE(out.Intact());
  }
}

TEST_P(LaneOpsTest, GlobalAverageIgnoresHaloTailAndUnusedLanes) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  for (int i = 0; i < 100; ++i) {
    Random random(6, i);
    const LaneShape shape = RandomShape(random);
    LaneShape one = shape;
    one.height = one.width = 1;
    one.halo = 0;
    const auto x = RandomFloats(Count(shape), random);
    GuardedLanes in(shape);
    in.Fill(x);
    GuardedLanes out(one);
    GlobalAveragePool(Context(random), in.view(), out.view());
    const int64_t plane = shape.height * shape.width;
    Reference expected;
    for (int64_t p = 0; p < shape.batch * shape.channels; ++p) {
      double sum = 0;
      for (int64_t j = 0; j < plane; ++j) sum += x[p * plane + j];
      expected.value.push_back(sum / static_cast<double>(plane));
      expected.bound.push_back(kEpsilon * static_cast<double>(plane + 2));
    }
    ASSERT_TRUE(Near(out.Plain(), expected));
  }
}

TEST_P(LaneOpsTest, DepthwiseAgreesWithTheNaiveSum) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  for (int i = 0; i < 400; ++i) {
    Random random(7, i);
    ConvGeometry g;
    g.lanes = std::array{1, 8, 16}[random.Below(3)];
    g.batch = Upto(random, g.lanes == 1 ? 3 : 2 * g.lanes);
    g.in_channels = g.out_channels = g.groups = Upto(random, 9);
    g.kernel_h = g.kernel_w = std::array{1, 2, 3, 3, 3, 5, 7}[random.Below(7)];
    if (random.Below(5) == 0) g.kernel_w = Upto(random, 4);
    g.stride_h = g.stride_w = std::array{1, 1, 1, 2, 2, 3}[random.Below(6)];
    g.dilation_h = g.dilation_w = std::array{1, 1, 1, 2}[random.Below(4)];
    g.pad_top = static_cast<int64_t>(random.Below(g.kernel_h + 1));
    g.pad_left = static_cast<int64_t>(random.Below(g.kernel_w + 1));
    g.pad_bottom = static_cast<int64_t>(random.Below(3));
    g.pad_right = random.Below(2) == 0 ? g.pad_left : static_cast<int64_t>(random.Below(3));
    g.in_h = g.dilation_h * (g.kernel_h - 1) + Upto(random, 12);
    g.in_w = g.dilation_w * (g.kernel_w - 1) + Upto(random, 40);
    g.in_halo = static_cast<int>(random.Below(3));
    g.out_halo = static_cast<int>(random.Below(2));
    g.residual_halo = static_cast<int>(random.Below(2));
    testing::SetOutputSize(g);
    Epilogue epilogue;
    epilogue.activation = kActivations[random.Below(std::size(kActivations))];
    epilogue.add_residual = random.Below(3) == 0;
    const auto x = RandomFloats(g.batch * g.in_channels * g.in_h * g.in_w, random);
    const auto weight = RandomFloats(g.out_channels * g.taps(), random);
    const auto bias =
        random.Below(3) == 0 ? std::vector<float>() : RandomFloats(g.out_channels, random);
    std::vector<float> residual;
    if (epilogue.add_residual) residual = RandomFloats(Count(g.OutShape()), random);
    GuardedLanes in(g.InShape());
    in.Fill(x);
    GuardedLanes extra(g.ResidualShape());
    if (epilogue.add_residual) extra.Fill(residual);
    GuardedLanes out(g.OutShape());
    const DepthwiseConv conv(g, weight.data(), bias.empty() ? nullptr : bias.data(), epilogue,
                             Context(random));
    const LaneView residual_view = extra.view();
    conv.Run(in.view(), epilogue.add_residual ? &residual_view : nullptr, out.view());
    ASSERT_TRUE(
        Near(out.Plain(), testing::NaiveConv(g, x, weight, bias, residual, epilogue.activation)))
        << "case " << i << ": lanes " << g.lanes << " kernel " << g.kernel_h << "x" << g.kernel_w
        << " stride " << g.stride_h << " size " << g.in_h << "x" << g.in_w << " pads " << g.pad_top
        << "," << g.pad_left << "," << g.pad_bottom << "," << g.pad_right;
    ASSERT_TRUE(out.Intact());
  }
}

TEST_P(LaneOpsTest, SparseLinearAgreesWithTheNaiveSum) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  for (int i = 0; i < 100; ++i) {
    Random random(8, i);
    ConvGeometry g;  // a 1×1 convolution of 1×1 images
    g.in_channels = Upto(random, 100);
    g.out_channels = Upto(random, 40);
    g.batch = Upto(random, 9);
    const double density = std::array{0.0, 0.1, 0.5, 1.0}[random.Below(4)];
    const auto x = RandomFloats(g.batch * g.in_channels, random);
    const auto weight = testing::RandomSparse(g.out_channels * g.in_channels, density, random);
    const auto bias = RandomFloats(g.out_channels, random);
    const Activation activation = kActivations[random.Below(std::size(kActivations))];
    const SparseLinear linear(g.in_channels, g.out_channels, weight.data(), bias.data(), activation,
                              Context(random));
    const GuardedBuffer in(g.batch * g.in_channels * 4);
    std::copy(x.begin(), x.end(), in.floats());
    const GuardedBuffer out(g.batch * g.out_channels * 4);
    linear.Run(in.floats(), g.batch, out.floats());
    ASSERT_TRUE(Near(std::vector<float>(out.floats(), out.floats() + g.batch * g.out_channels),
                     testing::NaiveConv(g, x, weight, bias, {}, activation)));
    ASSERT_TRUE(out.FrontIntact());
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, LaneOpsTest,
                         ::testing::Values(Isa::kScalar, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& isa) { return std::string(IsaName(isa.param)); });

TEST(LaneShapeTest, PlanesAreAlignedAndApart) {
  for (const int lanes : {1, 8, 16}) {
    for (int64_t size = 1; size < 120; ++size) {
      const LaneShape shape{.height = size, .width = size, .lanes = lanes, .halo = 1};
      const int64_t exact = (size + 2) * (size + 2) * lanes;
      const int64_t stride = shape.plane_stride();
      EXPECT_GE(stride, exact);
      if (exact < 16) {
        EXPECT_EQ(stride, exact);
        continue;
      }
      EXPECT_EQ(stride % 16, 0);
      EXPECT_LE(stride, exact + 16 * 11);
      if (exact > 1024) {
        const int64_t line = stride / 16 % 32;
        EXPECT_TRUE(line >= 5 && line <= 27) << stride;
      }
    }
  }
}

TEST(LaneShapeTest, ZeroHaloLeavesTheInterior) {
  Random random(9);
  for (const int lanes : {1, 8, 16}) {
    const LaneShape shape{
        .batch = 3, .channels = 2, .height = 4, .width = 5, .lanes = lanes, .halo = 2};
    const GuardedBuffer buffer(shape.size() * 4);
    std::fill_n(buffer.floats(), shape.size(), 7.0F);
    ZeroHalo({buffer.floats(), shape});
    float sum = 0;
    for (int64_t i = 0; i < shape.size(); ++i) sum += buffer.floats()[i];
    EXPECT_EQ(sum, 7.0F * static_cast<float>(shape.groups() * lanes * 2 * 20));
    for (int64_t n = 0; n < 3; ++n) EXPECT_EQ(buffer.floats()[shape.Offset(n, 1, 3, 4)], 7.0F);
    ZeroLanes({buffer.floats(), shape});
    EXPECT_TRUE(std::all_of(buffer.floats(), buffer.floats() + shape.size(),
                            [](float x) { return x == 0; }));
  }
}

TEST(DepthwiseErrorTest, SaysWhatDoesNotFit) {
  ConvGeometry g = testing::MakeGeometry(1, 4, 8, 5, 3, 1, 1, 1);
  g.groups = 4;
  const std::vector<float> weight(72);
  try {
    const DepthwiseConv conv(g, weight.data(), nullptr, {}, {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "depthwise convolution: 4 input channels, 8 output channels and 4 groups, "
                 "expected as many of each");
  }
  try {
    const SparseLinear linear(0, 3, weight.data(), nullptr, {}, {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "fully connected: a weight of 3x0, expected at least 1x1");
  }
}

}  // namespace
}  // namespace sparsify

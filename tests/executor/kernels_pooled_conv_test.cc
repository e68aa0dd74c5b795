#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "sparsity/base/error.h"
#include "sparsity/executor/kernels/pooled_conv.h"
#include "tests/executor/kernels_support.h"

namespace sparsify {
namespace {

using testing::GuardedBuffer;
using testing::GuardedLanes;
using testing::MakeGeometry;
using testing::NaiveConv;
using testing::Near;
using testing::RandomFloats;
using testing::RandomSparse;
using testing::Reference;

struct Case {
  ConvGeometry conv;
  PoolShape pool;
  double density = 0.5;
  int64_t cache_bytes = 1;
  int threads = 1;
};

int64_t Pick(Random& random, std::initializer_list<int64_t> values) {
  return *(values.begin() + random.Below(values.size()));
}

/// One axis of the pool: as many outputs as fit, or one more whose window is cut off (ceil_mode).
int64_t Outputs(int64_t in, int64_t pads, int64_t pad_begin, int64_t kernel, int64_t stride,
                bool ceil) {
  const int64_t room = in + pads - kernel;
  const int64_t outputs = room / stride + 1;
  const bool one_more = ceil && room % stride != 0 && outputs * stride < in + pad_begin;
  return outputs + (one_more ? 1 : 0);
}

void AddPool(Random& random, Case& c) {
  PoolGeometry& window = c.pool.window;
  const auto size = [&](int64_t in) {
    return std::min<int64_t>(in, Pick(random, {1, 2, 3, 3, 5}));
  };
  window.kernel_h = size(c.conv.out_h);
  window.kernel_w = size(c.conv.out_w);
  window.stride_h = Pick(random, {1, 2, 2, 3});
  window.stride_w = Pick(random, {1, 2, 2, 3});
  window.pad_top = static_cast<int64_t>(random.Below(window.kernel_h));
  window.pad_left = static_cast<int64_t>(random.Below(window.kernel_w));
  window.pad_bottom = static_cast<int64_t>(random.Below(window.kernel_h));
  window.pad_right = static_cast<int64_t>(random.Below(window.kernel_w));
  const bool ceil = random.Below(3) == 0;
  c.pool.out_h = Outputs(c.conv.out_h, window.pad_top + window.pad_bottom, window.pad_top,
                         window.kernel_h, window.stride_h, ceil);
  c.pool.out_w = Outputs(c.conv.out_w, window.pad_left + window.pad_right, window.pad_left,
                         window.kernel_w, window.stride_w, ceil);
}

Case RandomCase(Random& random) {
  Case c;
  ConvGeometry& g = c.conv;
  g.lanes = static_cast<int>(Pick(random, {1, 8, 16}));
  g.batch = g.lanes * Pick(random, {1, 1, 3});
  g.groups = Pick(random, {1, 1, 2});
  g.in_channels = g.groups * Pick(random, {1, 3, 8});
  g.out_channels = g.groups * Pick(random, {1, 4, 7, 13});
  g.kernel_h = Pick(random, {1, 2, 3, 3, 7});
  g.kernel_w = random.Below(3) == 0 ? 2 : g.kernel_h;
  g.stride_h = Pick(random, {1, 2, 3});
  g.stride_w = Pick(random, {1, 2});
  g.dilation_h = Pick(random, {1, 1, 2});
  g.pad_top = static_cast<int64_t>(random.Below(g.kernel_h));
  g.pad_bottom = static_cast<int64_t>(random.Below(g.kernel_h));
  g.pad_left = g.pad_right = static_cast<int64_t>(random.Below(g.kernel_w));
  g.in_h = g.dilation_h * (g.kernel_h - 1) + 1 + static_cast<int64_t>(random.Below(28));
  g.in_w = g.kernel_w + static_cast<int64_t>(random.Below(28));
  g.in_halo = static_cast<int>(Pick(random, {0, 0, 1}));
  testing::SetOutputSize(g);
  AddPool(random, c);
  c.density = Pick(random, {0, 10, 30, 60, 100}) / 100.0;
  c.cache_bytes = Pick(random, {1, 10'000, 40'000, 100'000, 1 << 24});
  c.threads = static_cast<int>(Pick(random, {1, 1, 2, 3}));
  return c;
}

/// The greatest value of each window, with its bound; 0 where a window lies in the padding.
Reference NaivePool(const Case& c, const Reference& in) {
  const ConvGeometry& g = c.conv;
  const PoolGeometry& window = c.pool.window;
  Reference out;
  for (int64_t plane = 0; plane < g.batch * g.out_channels; ++plane) {
    for (int64_t i = 0; i < c.pool.out_h * c.pool.out_w; ++i) {
      double value = -std::numeric_limits<double>::infinity();
      double bound = 0;
      for (int64_t k = 0; k < window.kernel_h * window.kernel_w; ++k) {
        const int64_t y = i / c.pool.out_w * window.stride_h - window.pad_top + k / window.kernel_w;
        const int64_t x =
            i % c.pool.out_w * window.stride_w - window.pad_left + k % window.kernel_w;
        if (y < 0 || y >= g.out_h || x < 0 || x >= g.out_w) continue;
        const auto at = static_cast<size_t>((plane * g.out_h + y) * g.out_w + x);
        value = std::max(value, in.value[at]);
        bound = std::max(bound, in.bound[at]);
      }
      out.value.push_back(std::isinf(value) ? 0 : value);
      out.bound.push_back(bound);
    }
  }
  return out;
}

std::string Describe(const Case& c, const SparseVariant& variant) {
  const ConvGeometry& g = c.conv;
  const PoolGeometry& w = c.pool.window;
  std::string text = variant.name;
  const auto add = [&](const char* name, std::initializer_list<int64_t> values) {
    text += std::string(", ") + name;
    for (int64_t value : values) text += " " + std::to_string(value);
  };
  add("batch, lanes", {g.batch, g.lanes});
  add("channels, groups", {g.in_channels, g.out_channels, g.groups});
  add("kernel, stride, dilation", {g.kernel_h, g.kernel_w, g.stride_h, g.stride_w, g.dilation_h});
  add("in, out", {g.in_h, g.in_w, g.out_h, g.out_w});
  add("pool", {w.kernel_h, w.kernel_w, w.stride_h, w.stride_w, w.pad_top, w.pad_left});
  add("to", {c.pool.out_h, c.pool.out_w});
  add("threads, cache", {c.threads, c.cache_bytes});
  return text;
}

class PooledConvTest : public ::testing::TestWithParam<Isa> {};

void Check(const Case& c, Isa isa, Random& random) {
  const ConvGeometry& g = c.conv;
  const Activation relu{ActivationKind::kRelu};
  const auto x = RandomFloats(g.batch * g.in_channels * g.in_h * g.in_w, random);
  const auto weight = RandomSparse(g.out_channels * g.taps(), c.density, random);
  const auto bias = RandomFloats(g.out_channels, random);
  const Reference expected = NaivePool(c, NaiveConv(g, x, weight, bias, {}, relu));
  GuardedLanes in(g.InShape());
  in.Fill(x);
  ConvGeometry banded = g;
  banded.band_of = g.out_h;
  for (const SparseVariant& variant : AllSparseVariants(banded, isa)) {
    if (random.Below(3) != 0) continue;
    SCOPED_TRACE(Describe(c, variant));
    const PooledConv conv(g, weight.data(), bias.data(), relu, variant, c.pool, c.cache_bytes,
                          {isa, c.threads});
    GuardedLanes out(conv.OutShape());
    const GuardedBuffer scratch(conv.scratch_bytes());
    for (int round = 0; round < 2; ++round) conv.Run(in.view(), out.view(), scratch.data());
    ASSERT_TRUE(Near(out.Plain(), expected));
    ASSERT_TRUE(out.Intact());
    ASSERT_TRUE(scratch.FrontIntact());
  }
}

TEST_P(PooledConvTest, RandomConvolutionsAndPoolsAgreeWithTheNaiveOnes) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  for (int i = 0; i < 100; ++i) {
    Random random(23, i);
    Check(RandomCase(random), GetParam(), random);
    if (HasFatalFailure()) FAIL() << "case " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PooledConvTest,
                         ::testing::Values(Isa::kScalar, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& isa) { return std::string(IsaName(isa.param)); });

/// 64 channels of 112×112, pooled 3×3 by stride 2: rows of 229 376 bytes with 8 images.
Case FirstLayer(int64_t batch, int lanes) {
  Case c;
  c.conv = MakeGeometry(batch, 3, 64, 224, 7, 2, 3, lanes);
  c.pool.window = {3, 3, 2, 2, 1, 1, 1, 1};
  c.pool.out_h = c.pool.out_w = 56;
  return c;
}

TEST(PlanPoolBands, FillTwoThirdsOfTheCache) {
  const Case c = FirstLayer(8, 8);
  // Five rows of the buffer, four of them new, are 1 146 880 bytes.
  EXPECT_EQ(PlanPoolBands(c.conv, c.pool, 2 << 20, 1), (PoolBands{4, 28, 1}));
  EXPECT_EQ(PlanPoolBands(c.conv, c.pool, 1'720'320, 1), (PoolBands{4, 28, 1}));
  EXPECT_EQ(PlanPoolBands(c.conv, c.pool, 1'720'319, 1), (PoolBands{2, 56, 1}));
}

TEST(PlanPoolBands, AreNeverLowerThanAStride) {
  const Case c = FirstLayer(16, 16);
  EXPECT_EQ(PlanPoolBands(c.conv, c.pool, 1, 1), (PoolBands{2, 56, 1}));
}

TEST(PlanPoolBands, LeaveNoThreadIdle) {
  const Case c = FirstLayer(1, 1);
  EXPECT_EQ(PlanPoolBands(c.conv, c.pool, 2 << 20, 1), (PoolBands{28, 4, 1}));
  EXPECT_EQ(PlanPoolBands(c.conv, c.pool, 64 << 20, 2), (PoolBands{56, 2, 1}));
  EXPECT_EQ(PlanPoolBands(c.conv, c.pool, 64 << 20, 8), (PoolBands{14, 8, 1}));
}

TEST(PlanPoolBands, KeepWhatTheNextWindowReads) {
  Case c = FirstLayer(8, 8);
  c.pool.window = {3, 3, 2, 2, 0, 0, 0, 0};
  EXPECT_EQ(PlanPoolBands(c.conv, c.pool, 2 << 20, 1).kept, 2);
  c.pool.window = {2, 2, 2, 2, 0, 0, 0, 0};
  EXPECT_EQ(PlanPoolBands(c.conv, c.pool, 2 << 20, 1).kept, 0);
  c.pool.window = {2, 2, 2, 2, 1, 1, 0, 0};
  EXPECT_EQ(PlanPoolBands(c.conv, c.pool, 2 << 20, 1).kept, 1);
  c.pool.window = {1, 1, 3, 3, 0, 0, 0, 0};
  EXPECT_EQ(PlanPoolBands(c.conv, c.pool, 2 << 20, 1).kept, 0);
}

TEST(PooledConv, SaysWhatItCannotRun) {
  Case c = FirstLayer(8, 8);
  const std::vector<float> weight(static_cast<size_t>(c.conv.out_channels * c.conv.taps()), 1.0F);
  const auto message = [&](const ConvGeometry& conv, const SparseVariant& variant) {
    try {
      const PooledConv pooled(conv, weight.data(), nullptr, {}, variant, c.pool, 1 << 20,
                              {Isa::kScalar, 1});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  ConvGeometry wrong = c.conv;
  wrong.out_w = 0;
  const SparseVariant packed = AllSparseVariants(c.conv, Isa::kScalar)[0];
  EXPECT_EQ(message(wrong, packed),
            "pooled convolution: convolution with a size of 0, expected at least 1");
  SparseVariant direct = packed;
  direct.packed = false;
  direct.name = "direct";
  EXPECT_EQ(message(MakeGeometry(8, 3, 64, 112, 1, 1, 0, 8), direct),
            "sparse convolution: variant \"direct\" needs a 1x1 convolution without halo, stride "
            "or bands");
}

}  // namespace
}  // namespace sparsify

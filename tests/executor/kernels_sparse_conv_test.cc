#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "sparsity/base/error.h"
#include "sparsity/executor/kernels/sparse_conv.h"
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

constexpr Activation kActivations[] = {
    {ActivationKind::kNone},         {ActivationKind::kRelu},
    {ActivationKind::kClip, 0, 0.5}, {ActivationKind::kHardSigmoid, 0.2F, 0.5F},
    {ActivationKind::kHardSwish},    {ActivationKind::kSigmoid},
    {ActivationKind::kSilu}};

std::string Describe(const ConvGeometry& g, const SparseVariant& variant, double density) {
  return variant.name + ", batch " + std::to_string(g.batch) + " lanes " + std::to_string(g.lanes) +
         ", " + std::to_string(g.in_channels) + ">" + std::to_string(g.out_channels) + " groups " +
         std::to_string(g.groups) + ", " + std::to_string(g.in_h) + "x" + std::to_string(g.in_w) +
         ", kernel " + std::to_string(g.kernel_h) + "x" + std::to_string(g.kernel_w) + " stride " +
         std::to_string(g.stride_h) + "," + std::to_string(g.stride_w) + " dilation " +
         std::to_string(g.dilation_h) + "," + std::to_string(g.dilation_w) + " pads " +
         std::to_string(g.pad_top) + "," + std::to_string(g.pad_left) + "," +
         std::to_string(g.pad_bottom) + "," + std::to_string(g.pad_right) + " halos " +
         std::to_string(g.in_halo) + "," + std::to_string(g.out_halo) + "," +
         std::to_string(g.residual_halo) + ", density " + std::to_string(density);
}

struct Case {
  ConvGeometry geometry;
  double density = 0.5;
  Epilogue epilogue;
  bool bias = true;
  int threads = 1;
};

/// Runs `variants` on one random problem and compares each with the naive convolution.
void Check(const Case& c, const std::vector<SparseVariant>& variants, Random& random) {
  const ConvGeometry& g = c.geometry;
  const auto x = RandomFloats(g.batch * g.in_channels * g.in_h * g.in_w, random);
  const auto weight = RandomSparse(g.out_channels * g.taps(), c.density, random);
  const auto bias = c.bias ? RandomFloats(g.out_channels, random) : std::vector<float>();
  std::vector<float> residual;
  if (c.epilogue.add_residual) {
    residual = RandomFloats(g.batch * g.out_channels * g.out_h * g.out_w, random);
  }
  const auto expected = NaiveConv(g, x, weight, bias, residual, c.epilogue.activation);
  GuardedLanes in(g.InShape());
  in.Fill(x);
  GuardedLanes extra(g.ResidualShape());
  if (c.epilogue.add_residual) extra.Fill(residual);
  const LaneView residual_view = extra.view();
  for (const SparseVariant& variant : variants) {
    SCOPED_TRACE(Describe(g, variant, c.density));
    const SparseConv conv(g, weight.data(), c.bias ? bias.data() : nullptr, c.epilogue, variant,
                          c.threads);
    GuardedLanes out(g.OutShape());
    const GuardedBuffer scratch(conv.scratch_bytes());
    conv.Run(in.view(), c.epilogue.add_residual ? &residual_view : nullptr, out.view(),
             scratch.data());
    ASSERT_TRUE(Near(out.Plain(), expected));
    ASSERT_TRUE(out.Intact());
    ASSERT_TRUE(scratch.FrontIntact());
  }
}

int64_t Pick(Random& random, std::initializer_list<int64_t> values) {
  return *(values.begin() + random.Below(values.size()));
}

Case RandomCase(Random& random) {
  Case c;
  ConvGeometry& g = c.geometry;
  g.lanes = static_cast<int>(Pick(random, {1, 8, 16}));
  g.batch = 1 + static_cast<int64_t>(random.Below(g.lanes == 1 ? 3 : 2 * g.lanes));
  g.groups = Pick(random, {1, 1, 1, 2, 3});
  g.in_channels = g.groups * Pick(random, {1, 2, 3, 5, 8, 16, 23});
  g.out_channels = g.groups * Pick(random, {1, 2, 3, 4, 7, 8, 13, 16});
  g.kernel_h = Pick(random, {1, 1, 2, 3, 3, 3, 5, 7});
  g.kernel_w = random.Below(4) == 0 ? Pick(random, {1, 2, 3, 4}) : g.kernel_h;
  g.stride_h = Pick(random, {1, 1, 2, 3});
  g.stride_w = random.Below(4) == 0 ? Pick(random, {1, 2, 3}) : g.stride_h;
  g.dilation_h = Pick(random, {1, 1, 1, 2, 3});
  g.dilation_w = random.Below(3) == 0 ? Pick(random, {1, 2}) : g.dilation_h;
  g.pad_top = static_cast<int64_t>(random.Below(g.kernel_h));
  g.pad_left = static_cast<int64_t>(random.Below(g.kernel_w));
  g.pad_bottom = random.Below(3) == 0 ? static_cast<int64_t>(random.Below(4)) : g.pad_top;
  g.pad_right = random.Below(3) == 0 ? static_cast<int64_t>(random.Below(4)) : g.pad_left;
  g.in_h = g.dilation_h * (g.kernel_h - 1) + 1 + static_cast<int64_t>(random.Below(20));
  g.in_w = g.dilation_w * (g.kernel_w - 1) + 1 +
           static_cast<int64_t>(random.Below(random.Below(3) == 0 ? 60 : 18));
  g.in_halo = static_cast<int>(Pick(random, {0, 0, 1, 2}));
  g.out_halo = static_cast<int>(Pick(random, {0, 0, 1, 3}));
  g.residual_halo = static_cast<int>(Pick(random, {g.out_halo, 0, 1}));
  testing::SetOutputSize(g);
  c.density = Pick(random, {0, 2, 10, 20, 30, 50, 70, 100}) / 100.0;
  c.epilogue.activation = kActivations[random.Below(std::size(kActivations))];
  c.epilogue.add_residual = random.Below(2) == 0;
  c.bias = random.Below(4) != 0;
  c.threads = random.Below(8) == 0 ? static_cast<int>(Pick(random, {2, 3})) : 1;
  return c;
}

/// Cases a property test runs: SPARSIFY_TEST_CASES, else a number for a short run.
int Cases(int fallback) {
  const char* text = std::getenv("SPARSIFY_TEST_CASES");
  return text == nullptr ? fallback : std::max(1, std::atoi(text));
}

class SparseConvTest : public ::testing::TestWithParam<Isa> {};

TEST_P(SparseConvTest, EveryVariantOfRandomConvolutionsAgreesWithTheNaiveSum) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  const int cases = Cases(150);
  for (int i = 0; i < cases; ++i) {
    Random random(17, i);
    const Case c = RandomCase(random);
    auto variants = AllSparseVariants(c.geometry, GetParam());
    variants.push_back(DenseVariant(c.geometry, GetParam()));
    ASSERT_FALSE(variants[0].name.empty());
    Check(c, variants, random);
    if (HasFatalFailure()) FAIL() << "case " << i;
  }
}

TEST_P(SparseConvTest, ManyInputChannelsAreSplitIntoBlocks) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  Random random(3);
  for (const int lanes : {1, 8, 16}) {
    Case c;
    c.geometry = MakeGeometry(lanes == 1 ? 1 : 8, 150, 9, 14, 3, 1, 1, lanes);
    c.epilogue = {{ActivationKind::kRelu}, true};
    Check(c, AllSparseVariants(c.geometry, GetParam()), random);
    c.geometry = MakeGeometry(lanes == 1 ? 1 : 8, 700, 6, 7, 1, 1, 0, lanes);
    c.density = 0.1;
    Check(c, AllSparseVariants(c.geometry, GetParam()), random);
  }
}

// With 8 lanes in vectors of 16 both halves of a vector are then the same position.
TEST_P(SparseConvTest, AnOutputMayBeOnePosition) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  Random random(4);
  for (const int lanes : {1, 8, 16}) {
    for (const int64_t kernel : {1, 3}) {
      Case c;
      c.geometry = MakeGeometry(lanes == 1 ? 1 : 24, 40, 10, kernel, kernel, 1, 0, lanes);
      c.epilogue = {{ActivationKind::kRelu}, true};
      Check(c, AllSparseVariants(c.geometry, GetParam()), random);
    }
  }
}

TEST_P(SparseConvTest, AChannelRangeOfAWiderBufferIsWrittenInPlace) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  Random random(5);
  const ConvGeometry g = MakeGeometry(16, 4, 3, 6, 3, 1, 1, 8);
  const auto x = RandomFloats(g.batch * g.in_channels * 36, random);
  const auto weight = RandomSparse(g.out_channels * g.taps(), 0.5, random);
  const auto expected = NaiveConv(g, x, weight, {}, {}, {});
  GuardedLanes in(g.InShape());
  in.Fill(x);
  LaneShape wide = g.OutShape();
  wide.channels = 7;
  GuardedLanes out(wide);
  const SparseConv conv(g, weight.data(), nullptr, {}, AllSparseVariants(g, GetParam())[0], 1);
  const GuardedBuffer scratch(conv.scratch_bytes());
  conv.Run(in.view(), nullptr, ChannelRange(out.view(), 2, 3), scratch.data());
  const std::vector<float> all = out.Plain();
  std::vector<float> written;
  for (int64_t n = 0; n < g.batch; ++n) {
    for (int64_t c = 0; c < 7; ++c) {
      for (int64_t i = 0; i < 36; ++i) {
        const float value = all[(n * 7 + c) * 36 + i];
        if (c >= 2 && c < 5) {
          written.push_back(value);
        } else {
          ASSERT_EQ(value, 0.0F);
        }
      }
    }
  }
  EXPECT_TRUE(Near(written, expected));
}

TEST_P(SparseConvTest, ConstantsShrinkWithTheWeight) {
  SPARSIFY_SKIP_WITHOUT(GetParam());
  Random random(7);
  const ConvGeometry g = MakeGeometry(8, 256, 256, 14, 3, 1, 1, 8);
  const double dense = static_cast<double>(g.out_channels * g.taps()) * sizeof(float);
  for (const auto& [density, fraction] :
       std::initializer_list<std::pair<double, double>>{{0.5, 0.70}, {0.2, 0.35}, {0.1, 0.20}}) {
    const auto weight = RandomSparse(g.out_channels * g.taps(), density, random);
    double least = 1e9;
    for (const SparseVariant& variant : SparseVariants(g, density, GetParam())) {
      const SparseConv conv(g, weight.data(), nullptr, {}, variant, 1);
      least = std::min(least, static_cast<double>(conv.constant_bytes()));
    }
    EXPECT_LE(least, fraction * dense) << "density " << density;
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, SparseConvTest,
                         ::testing::Values(Isa::kScalar, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& isa) { return std::string(IsaName(isa.param)); });

TEST(SparseVariantsTest, NamesAreUniqueAndThereIsAlwaysOne) {
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    for (const int kernel : {1, 3, 7}) {
      const ConvGeometry g = MakeGeometry(1, 3, 1, 5, kernel, 1, kernel / 2, 1);
      std::set<std::string> names;
      for (const SparseVariant& variant : AllSparseVariants(g, isa)) {
        EXPECT_TRUE(names.insert(variant.name).second) << variant.name;
        EXPECT_EQ(variant.isa, isa);
      }
      for (const double density : {0.0, 0.01, 0.5, 1.0}) {
        EXPECT_FALSE(SparseVariants(g, density, isa).empty());
      }
    }
  }
}

void ExpectError(const ConvGeometry& geometry, const SparseVariant& variant, int threads,
                 const std::string& message) {
  const std::vector<float> weight(64, 1.0F);
  try {
    const SparseConv conv(geometry, weight.data(), nullptr, {}, variant, threads);
    FAIL() << "no error, expected: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), message);
  }
}

TEST(SparseConvErrorTest, SaysWhatDoesNotFit) {
  const ConvGeometry good = MakeGeometry(1, 2, 2, 5, 3, 1, 1, 1);
  const SparseVariant variant = SparseVariants(good, 0.5, Isa::kScalar)[0];
  ConvGeometry g = good;
  g.out_w = 4;
  ExpectError(g, variant, 1,
              "sparse convolution: output of 5x4, but kernel, stride and pads give 5x5");
  g = good;
  g.groups = 3;
  ExpectError(g, variant, 1,
              "sparse convolution: 2 input and 2 output channels do not divide into 3 groups");
  g = good;
  g.lanes = 4;
  ExpectError(g, variant, 1, "sparse convolution: 4 lanes, expected 1, 8 or 16");
  g = good;
  g.batch = 0;
  ExpectError(g, variant, 1,
              "sparse convolution: convolution with a size of 0, expected at least 1");
  g = good;
  g.pad_left = -1;
  ExpectError(g, variant, 1,
              "sparse convolution: convolution with a pad of -1, expected at least 0");
  g = good;
  g.out_halo = -1;
  ExpectError(g, variant, 1, "sparse convolution: halos of 0, -1 and 0, expected at least 0");
  ExpectError(
      MakeGeometry(16, 1, 1, 8192, 3, 1, 1, 16), variant, 1,
      "sparse convolution: channel planes of 1073741904 floats, expected at most 536870911");
  ExpectError(good, variant, 0, "sparse convolution: 0 threads, expected at least 1");
  SparseVariant direct = variant;
  direct.packed = false;
  direct.name = "direct";
  ExpectError(good, direct, 1,
              "sparse convolution: variant \"direct\" needs a 1x1 convolution without halo, "
              "stride or bands");
  SparseVariant large = variant;
  large.rows = 8;
  large.taps = 1;
  large.vectors = 1;
  ExpectError(MakeGeometry(1, 1, 8, 5, 1, 1, 0, 1), large, 1,
              "sparse convolution: 8 rows of 1 taps, expected at most 6 together");
}

}  // namespace
}  // namespace sparsify

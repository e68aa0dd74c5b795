// Every generator's common duties, one after another: counts, extremes, errors, determinism.
#include <gmock/gmock.h>

#include <cmath>

#include "sparsity/base/options_yaml.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/mask_options.h"
#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

using testing::CountOfPercent;
using ::testing::HasSubstr;
using testing::MessageOf;
using testing::RandomShape;
using testing::RandomWeight;

// A kwargs variant under test; `unit` is what its count rule counts.
struct Case {
  std::string name;
  MaskGeneratorOptions options;
  bool filters = false;
  bool fixed = false;  // the pattern decides, not the sparsity
};

std::vector<Case> Cases() {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, const std::string& type, bool filters,
                       bool fixed = false) -> MaskGeneratorOptions& {
    cases.push_back({name, {}, filters, fixed});
    cases.back().options.type = type;
    return cases.back().options;
  };
  add("Normal", "NormalMaskGenerator", false);
  add("NormalRow", "NormalMaskGenerator", false).normal.row_normalized = true;
  add("NormalP1", "NormalMaskGenerator", true).normal.structured = true;
  MaskGeneratorOptions& p2 = add("NormalP2", "NormalMaskGenerator", true);
  p2.normal.structured = true;
  p2.normal.func = "p2";
  add("NM", "NMMaskGenerator", false, true);
  add("NM2D", "NM2DMaskGenerator", false, true);
  add("Block11", "BlockMaskGenerator", false).block.block = {1, 1};
  for (const char* distance : {"l1", "l2", "cos"}) {
    add(std::string("Fpgm_") + distance, "FPGMMaskGenerator", true).fpgm.distance = distance;
  }
  add("Nuclear", "NuclearMaskGenerator", true);
  add("Random", "RandomMaskGenerator", false);
  return cases;
}

class EveryGenerator : public ::testing::TestWithParam<Case> {
 protected:
  std::unique_ptr<MaskGenerator> generator_ = MakeMaskGenerator(GetParam().options);
  MaskContext context_{.layer_name = "conv1", .groups = 1, .seed = 3, .layer_index = 2};
};

TEST_P(EveryGenerator, HitsItsCountOnRandomAndOnConstantTensors) {
  Random random(17);
  for (int round = 0; round < 60; ++round) {
    const Shape shape = RandomShape(random);
    const auto percent = static_cast<int64_t>(random.Below(101));
    const double s = static_cast<double>(percent) / 100;
    Tensor constant(shape);
    constant.Fill(0.25F);
    const int64_t n = constant.size();
    const int64_t filter = n / shape[0];
    const int64_t expected = GetParam().filters ? CountOfPercent(shape[0], percent) * filter
                                                : CountOfPercent(n, percent);
    for (const Tensor& weight : {constant, RandomWeight(shape, random.NextBits())}) {
      const Mask mask = generator_->Generate(weight, s, context_);
      ASSERT_EQ(mask.shape(), shape);
      if (!GetParam().fixed) {
        ASSERT_EQ(mask.CountPruned(), expected) << shape.ToString() << " at " << percent << " %";
      }
      ASSERT_NEAR(generator_->Achievable(shape, s, context_), mask.Sparsity(), 1e-12);
    }
  }
}

TEST_P(EveryGenerator, ExtremesAreAllOrNothing) {
  const Tensor weight = RandomWeight({6, 5, 3, 3}, 4);
  if (GetParam().fixed) {
    EXPECT_EQ(generator_->Generate(weight, 0, context_), generator_->Generate(weight, 1, context_));
    return;
  }
  EXPECT_EQ(generator_->Generate(weight, 0, context_).CountPruned(), 0);
  EXPECT_EQ(generator_->Generate(weight, 1, context_).CountKept(), 0);
}

TEST_P(EveryGenerator, RefusesBadInputNamingTheLayer) {
  Tensor weight = RandomWeight({4, 8}, 1);
  EXPECT_EQ(MessageOf([&] { generator_->Generate(weight, 50, context_); }),
            "conv1: sparsity 50 is outside 0 … 1; give a fraction, not percent");
  EXPECT_THAT(MessageOf([&] { generator_->Generate(weight, NAN, context_); }),
              HasSubstr("sparsity nan is outside"));
  EXPECT_THAT(MessageOf([&] { generator_->Generate(weight, -0.1, context_); }),
              HasSubstr("sparsity -0.1 is outside"));
  weight[9] = NAN;
  EXPECT_EQ(MessageOf([&] { generator_->Generate(weight, 0.5, context_); }),
            "conv1: weight of shape [4,8] holds nan at flat index 9; repair the model first");
  weight[9] = INFINITY;
  EXPECT_THAT(MessageOf([&] { generator_->Generate(weight, 0.5, context_); }),
              HasSubstr("holds inf at flat index 9"));
  EXPECT_THAT(MessageOf([&] { generator_->Generate(Tensor(Shape{8}), 0.5, context_); }),
              HasSubstr("conv1: weight has shape [8]"));
}

TEST_P(EveryGenerator, IsTheSameOnAnyNumberOfThreads) {
  const Tensor weight = RandomWeight({24, 13, 3, 3}, 8);
  SetThreads(1);
  const Mask one = generator_->Generate(weight, 0.37, context_);
  SetThreads(4);
  const Mask four = generator_->Generate(weight, 0.37, context_);
  SetThreads(0);
  EXPECT_EQ(one, four);
}

TEST_P(EveryGenerator, AllZeroWeightsGoByIndexOrChance) {
  const Tensor weight(Shape{4, 4, 2, 2});
  const Mask mask = generator_->Generate(weight, 0.5, context_);
  EXPECT_EQ(mask.CountPruned(), 32);
}

TEST_P(EveryGenerator, KnowsItsType) { EXPECT_EQ(generator_->type(), GetParam().options.type); }

INSTANTIATE_TEST_SUITE_P(Types, EveryGenerator, ::testing::ValuesIn(Cases()),
                         [](const auto& param) { return param.param.name; });

TEST(MakeMaskGenerator, RefusesUnknownAndUnbuiltTypes) {
  MaskGeneratorOptions options;
  options.type = "NormalMask";
  EXPECT_THAT(MessageOf([&] { MakeMaskGenerator(options); }),
              HasSubstr("mask_generator.type: unknown \"NormalMask\"; known: NormalMaskGenerator, "
                        "NMMaskGenerator, NM2DMaskGenerator, BlockMaskGenerator"));
  for (const char* type : {"WandaMaskGenerator", "ObsMaskGenerator", "STRMaskGenerator",
                           "ProbMaskGenerator", "FCPTSMaskGenerator"}) {
    options.type = type;
    EXPECT_THAT(NotBuilt(options), HasSubstr(std::string(type) + " is not built yet: it "));
    EXPECT_EQ(MessageOf([&] { MakeMaskGenerator(options); }),
              "mask_generator.type: " + NotBuilt(options));
  }
}

TEST(MakeMaskGenerator, KnowsEveryPublishedType) {
  EXPECT_EQ(MaskGeneratorTypes().size(), 12U);
  for (const std::string_view type : MaskGeneratorTypes()) {
    MaskGeneratorOptions options;
    options.type = type;
    if (NotBuilt(options).empty()) {
      EXPECT_EQ(MakeMaskGenerator(options)->type(), type);
    }
  }
}

MaskGeneratorOptions Read(const std::string& text) {
  MaskGeneratorOptions options;
  OptionsDocument::FromText(text, "block").Read(options);
  return options;
}

TEST(MaskGeneratorOptions, ReadThePublishedBlocksAndEveryTypesKwargs) {
  EXPECT_EQ(Read("type: NormalMaskGenerator\n").sparsity, std::nullopt);
  EXPECT_EQ(Read("type: NormalMaskGenerator\nkwargs: {sparsity: 0.5}\n").sparsity, 0.5);
  for (const std::string_view type : MaskGeneratorTypes()) {
    EXPECT_EQ(Read(fmt::format("type: {}\nkwargs: {{sparsity: 1}}\n", type)).sparsity, 1.0);
  }
  EXPECT_TRUE(Read("type: NormalMaskGenerator\nkwargs: {structured: True}\n").normal.structured);
  EXPECT_EQ(Read("type: NMMaskGenerator\nkwargs: {n: 1, m: 8}\n").nm.m, 8);
  EXPECT_EQ(Read("type: NM2DMaskGenerator\nkwargs: {search: greedy}\n").nm_2d.search, "greedy");
  EXPECT_EQ(Read("type: BlockMaskGenerator\nkwargs: {block: [4, 1]}\n").block.block[0], 4);
  EXPECT_EQ(Read("type: FPGMMaskGenerator\nkwargs: {distance: cos}\n").fpgm.distance, "cos");
  EXPECT_THAT(MessageOf([] { Read("type: NormalMaskGenerator\nkwargs: {sparsity: 50}\n"); }),
              HasSubstr("sparsity: 50 is "));
  EXPECT_THAT(MessageOf([] { Read("type: NMMaskGenerator\nkwargs: {structured: True}\n"); }),
              HasSubstr("unknown key \"structured\""));
}

TEST(FakeSparseOptions, ReadThePublishedBlock) {
  FakeSparseOptions options;
  OptionsDocument::FromText("type: FakeSparse\n", "block").Read(options);
  EXPECT_FALSE(options.mask_is_static);
  OptionsDocument::FromText("type: FakeSparse\nkwargs: {mask_is_static: True}\n", "block")
      .Read(options);
  EXPECT_TRUE(options.mask_is_static);
}

TEST(MakeMaskGenerator, RefusesContradictions) {
  MaskGeneratorOptions options;
  options.normal = {.structured = true, .func = "p1", .row_normalized = true};
  EXPECT_THAT(MessageOf([&] { MakeMaskGenerator(options); }), HasSubstr("row_normalized"));
  options.normal = {.structured = true, .func = "p3"};
  EXPECT_THAT(MessageOf([&] { MakeMaskGenerator(options); }), HasSubstr("neither p1 nor p2"));
  options.type = "NMMaskGenerator";
  options.nm = {.n = 5, .m = 4};
  EXPECT_THAT(MessageOf([&] { MakeMaskGenerator(options); }),
              HasSubstr("n = 5 of m = 4 is no N:M pattern"));
  options.type = "NM2DMaskGenerator";
  options.nm_2d.search = "most";
  EXPECT_EQ(MessageOf([&] { MakeMaskGenerator(options); }),
            "mask_generator.kwargs.search: \"most\" is neither greedy nor best");
  options.type = "BlockMaskGenerator";
  options.block.block = {4};
  EXPECT_THAT(MessageOf([&] { MakeMaskGenerator(options); }), HasSubstr("two positive numbers"));
  options.type = "FPGMMaskGenerator";
  options.fpgm.distance = "l3";
  EXPECT_THAT(MessageOf([&] { MakeMaskGenerator(options); }), HasSubstr("known: l1, l2, cos"));
}

}  // namespace
}  // namespace sparsify

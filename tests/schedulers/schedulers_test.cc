#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "schedulers/amba_level_prune_scheduler.h"
#include "schedulers/ampere_scheduler.h"
#include "schedulers/base_scheduler.h"
#include "sparsity/base/error.h"
#include "sparsity/base/options_yaml.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string MessageOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "no error";
}

std::vector<int64_t> FirstIterations(const std::vector<Stage>& stages) {
  std::vector<int64_t> first;
  for (const Stage& stage : stages) first.push_back(stage.first_iteration);
  return first;
}

std::vector<double> Levels(const std::vector<Stage>& stages) {
  std::vector<double> levels;
  for (const Stage& stage : stages) levels.push_back(stage.sparsity);
  return levels;
}

TEST(BaseScheduler, MakesALevelARun) {
  const BaseScheduler scheduler;
  EXPECT_FALSE(scheduler.NeedsTraining());
  const auto stages = scheduler.Stages(0, {0.3, 0.9});
  EXPECT_THAT(Levels(stages), ElementsAre(0.3, 0.9));
  EXPECT_THAT(FirstIterations(stages), ElementsAre(0, 0));
}

TEST(AmbaLevelPruneScheduler, MakesEqualStages) {
  AmbaLevelPruneOptions options;
  options.sparsity_table = {30, 40, 50};
  const AmbaLevelPruneScheduler scheduler(options);
  const auto stages = scheduler.Stages(10, {0.9});
  EXPECT_THAT(Levels(stages), ElementsAre(0.3, 0.4, 0.5));
  EXPECT_THAT(FirstIterations(stages), ElementsAre(0, 3, 6));
  EXPECT_THAT(FirstIterations(scheduler.Stages(3, {})), ElementsAre(0, 1, 2));
  constexpr int64_t kHuge = int64_t{1} << 62;
  EXPECT_THAT(FirstIterations(scheduler.Stages(kHuge, {})),
              ElementsAre(0, kHuge / 3, kHuge / 3 * 2));
}

TEST(AmbaLevelPruneScheduler, StagesStartAtTheFloorOfEachShare) {
  for (int64_t count = 1; count <= 9; ++count) {
    AmbaLevelPruneOptions options;
    options.sparsity_table.clear();
    for (int64_t k = 0; k < count; ++k) {
      options.sparsity_table.push_back(static_cast<double>(10 + k));
    }
    for (int64_t total = count; total < 60; ++total) {
      options.total_iters = total;  // wins over the trainer's
      const auto stages = AmbaLevelPruneScheduler(options).Stages(7, {});
      for (int64_t k = 0; k < count; ++k) {
        ASSERT_EQ(stages[static_cast<size_t>(k)].first_iteration, k * total / count);
      }
    }
  }
}

TEST(AmbaLevelPruneScheduler, RefusesWhatMakesNoSchedule) {
  const auto make = [](const std::vector<double>& table) {
    AmbaLevelPruneOptions options;
    options.sparsity_table = table;
    return MessageOf([&] { AmbaLevelPruneScheduler scheduler(options); });
  };
  EXPECT_EQ(make({}),
            "scheduler.kwargs.sparsity_table: is empty; give one level a stage, in percent");
  EXPECT_EQ(make({50, 50}), "scheduler.kwargs.sparsity_table: must increase, but 50 follows 50");
  EXPECT_EQ(make({50, 101}), "scheduler.kwargs.sparsity_table: 101 is outside 0 … 100 percent");
  EXPECT_EQ(make({0.3, 0.9}),
            "scheduler.kwargs.sparsity_table: no level is above 0.9: these are fractions, the "
            "table is in percent");
  AmbaLevelPruneOptions options;
  EXPECT_EQ(MessageOf([&] { AmbaLevelPruneScheduler(options).Stages(6, {}); }),
            "scheduler.kwargs.total_iters: 6 iterations are too few for 7 stages");
  options.default_input_shape = {3, 224, 224};
  EXPECT_THAT(MessageOf([&] { AmbaLevelPruneScheduler scheduler(options); }),
              HasSubstr("default_input_shape: has 3 numbers; give [N, C, H, W]"));
}

TEST(AmbaLevelPruneScheduler, ChoosesTheAllocation) {
  AmbaLevelPruneOptions options;
  options.prun_algo_tuning = 0.7;
  options.sparse_rate_tolerance = 0.01;
  EXPECT_EQ(AllocationOf(options).type, "level");
  EXPECT_EQ(AllocationOf(options).tuning, 0.7);
  EXPECT_EQ(AllocationOf(options).tolerance, 0.01);
  options.prun_algo = 0;
  EXPECT_EQ(AllocationOf(options).type, "Uniform");
}

TEST(AmpereScheduler, ParsesMaskCalculators) {
  using Kind = MaskCalculator::Kind;
  const auto expect = [](const char* name, int64_t m, int64_t n, Kind kind) {
    const MaskCalculator calculator = ParseMaskCalculator(name);
    EXPECT_EQ(calculator.m, m);
    EXPECT_EQ(calculator.n, n);
    EXPECT_EQ(calculator.kind, kind);
  };
  expect("m4n2_1d", 4, 2, Kind::k1d);
  expect("m16n3_1d", 16, 3, Kind::k1d);
  expect("m4n2_2d_greedy", 4, 2, Kind::k2dGreedy);
  expect("m4n2_2d_best", 4, 2, Kind::k2dBest);
  for (const char* bad : {"", "m4n2", "m4n2_3d", "n2m4_1d", "m4n_1d", "mn_1d", "m8n4_2d_best",
                          "m4n2_1d ", "m99999999999999999999n2_1d", "m-4n2_1d"}) {
    EXPECT_THAT(MessageOf([&] { ParseMaskCalculator(bad); }),
                HasSubstr("is none of m<M>n<N>_1d, m4n2_2d_greedy, m4n2_2d_best"))
        << bad;
  }
  EXPECT_EQ(MessageOf([] { ParseMaskCalculator("m4n4_1d"); }),
            "scheduler.kwargs.mask_calculator: \"m4n4_1d\" keeps 4 of every 4; need 1 <= N < M");
  EXPECT_THAT(MessageOf([] { ParseMaskCalculator("m4n0_1d"); }), HasSubstr("keeps 0 of every 4"));
}

TEST(AmpereScheduler, HasOneStageOfItsPattern) {
  const AmpereScheduler scheduler({.mask_calculator = "m4n1_1d"});
  const auto stages = scheduler.Stages(1000, {0.3, 0.5});
  EXPECT_THAT(Levels(stages), ElementsAre(0.75));
  EXPECT_THAT(FirstIterations(stages), ElementsAre(0));
}

TEST(AmpereScheduler, InsistsOnTheGeneratorOfItsPattern) {
  // The first tile keeps 7 greedily and 8 at best; 1:4 keeps one weight a row.
  Tensor weight({4, 4}, {6, 6, 1, 0, 6, 1, 6, 0, 1, 6, 6, 0, 0, 0, 0, 9});
  const auto kept = [&](const char* calculator) {
    const AmpereScheduler scheduler({.mask_calculator = calculator});
    return scheduler.OwnGenerator()->Generate(weight, 0.5, {}).CountKept();
  };
  EXPECT_EQ(kept("m4n2_1d"), 8);
  EXPECT_EQ(kept("m4n1_1d"), 4);
  EXPECT_EQ(kept("m4n2_2d_greedy"), 7);
  EXPECT_EQ(kept("m4n2_2d_best"), 8);
  const AmpereScheduler tiles({.mask_calculator = "m4n2_2d_best", .allow_permutation = true});
  EXPECT_EQ(tiles.OwnGenerator()->type(), "NM2DMaskGenerator");
  EXPECT_EQ(tiles.calculator().kind, MaskCalculator::Kind::k2dBest);
  EXPECT_TRUE(tiles.permutes());
  EXPECT_FALSE(AmpereScheduler({}).permutes());
}

TEST(AmpereScheduler, SkipsLayersThatDoNotFitWithTheReason) {
  const auto reason = [](const Shape& shape, int64_t groups = 1) {
    Layer layer;
    layer.weight_shape = shape;
    layer.groups = groups;
    return AmpereSkipReason(layer);
  };
  EXPECT_EQ(reason({64, 64, 3, 3}), "");
  EXPECT_EQ(reason({8, 16}), "");
  EXPECT_EQ(reason({10, 512}), "10 output channels, no multiple of 8");
  EXPECT_EQ(reason({64, 3, 7, 7}), "3 input channels, no multiple of 16");
  EXPECT_EQ(reason({32, 1, 3, 3}, 32), "1 input channels a group, no multiple of 16");
}

TEST(MakeScheduler, MakesEveryPublishedType) {
  for (const std::string_view type : SchedulerTypes()) {
    SchedulerOptions options;
    options.type = type;
    const auto scheduler = MakeScheduler(options);
    EXPECT_EQ(scheduler->type(), type);
    EXPECT_EQ(scheduler->NeedsTraining(), type != "BaseScheduler");
    EXPECT_EQ(scheduler->MakeRule({})->type(), type);
  }
  SchedulerOptions options;
  options.type = "AmbaScheduler";
  EXPECT_EQ(MessageOf([&] { MakeScheduler(options); }),
            "scheduler.type: unknown \"AmbaScheduler\"; known: BaseScheduler, "
            "AmbaLevelPruneScheduler, AmpereScheduler, PolynomialScheduler, RigLScheduler, "
            "ACDCScheduler, STRScheduler, ProbMaskScheduler, ADMMScheduler");
}

// The published level-prune and Ampere blocks, as they are written.
TEST(SchedulerOptions, ReadThePublishedBlocks) {
  SchedulerOptions amba;
  OptionsDocument::FromText(
      "type: AmbaLevelPruneScheduler\nkwargs:\n  total_iters: None\n"
      "  sparsity_table: [30,40,50]\n  no_prune_keyword: ''\n  no_prune_layer: 'fc'\n"
      "  prun_algo: 1\n  prun_algo_tuning: 0.5\n  dw_no_prune: False\n"
      "  do_sparse_analysis: True\n  default_input_shape: [1,3,224,224]\n"
      "  output_dir: path_to_sparse_analysis\n  save_dir: path_to_sparse_ckpts\n",
      "block")
      .Read(amba);
  EXPECT_EQ(amba.type, "AmbaLevelPruneScheduler");
  EXPECT_EQ(amba.amba_level_prune.total_iters, std::nullopt);
  EXPECT_THAT(amba.amba_level_prune.sparsity_table, ElementsAre(30, 40, 50));
  EXPECT_EQ(amba.amba_level_prune.selection.no_prune_layer, "fc");
  EXPECT_TRUE(amba.amba_level_prune.do_sparse_analysis);
  EXPECT_EQ(amba.amba_level_prune.save_dir, "path_to_sparse_ckpts");
  SchedulerOptions ampere;
  OptionsDocument::FromText(
      "type: AmpereScheduler\nkwargs:\n  mask_calculator: m4n2_2d_best\n"
      "  allow_recompute_mask: False\n  allow_permutation: True\n  verbosity: 2\n",
      "block")
      .Read(ampere);
  EXPECT_EQ(ampere.ampere.mask_calculator, "m4n2_2d_best");
  EXPECT_TRUE(ampere.ampere.allow_permutation);
  EXPECT_EQ(ampere.ampere.verbosity, 2);
}

// Every key of the further schedulers as it is written; what the visitor refuses has its line.
TEST(SchedulerOptions, ReadTheFurtherBlocks) {
  const auto read = [](const std::string& type, const std::string& kwargs) {
    SchedulerOptions options;
    OptionsDocument::FromText("type: " + type + "\nkwargs: {" + kwargs + "}\n", "block")
        .Read(options);
    EXPECT_EQ(MakeScheduler(options)->type(), type);
    EXPECT_THAT(Levels(MakeScheduler(options)->Stages(100, {0.5, 0.9})), ElementsAre(0.5, 0.9));
    EXPECT_THAT(FirstIterations(MakeScheduler(options)->Stages(100, {0.5, 0.9})),
                ElementsAre(0, 0));
    return options;
  };
  EXPECT_EQ(read("PolynomialScheduler",
                 "initial_sparsity: 0.2, begin: 0.1, end: 0.9, frequency: 5, power: 1")
                .polynomial.frequency,
            5);
  EXPECT_EQ(read("RigLScheduler", "alpha: 0.2, delta_t: 50, end: 0.5").rigl.delta_t, 50);
  EXPECT_EQ(read("ACDCScheduler",
                 "warm_up: 0, phase: 0.1, last_decompressed: 0.2, "
                 "last_compressed: 0.3")
                .acdc.last_compressed,
            0.3);
  EXPECT_FALSE(
      read("STRScheduler", "initial: -3200, learning_rate: 0.5, decay: 0.1, steer: False, end: 1")
          .str.steer);
  EXPECT_EQ(read("ProbMaskScheduler",
                 "budget: layer, learning_rate: 0.006, begin: 0.1, "
                 "ramp_end: 0.5, end: 0.7, last_temperature: 0.1")
                .prob_mask.budget,
            "layer");
  EXPECT_EQ(read("ADMMScheduler", "rho: 0.1, interval: 10, end: 0.5").admm.rho, 0.1);
  EXPECT_EQ(MessageOf([&] { read("RigLScheduler", "delta_t: 1"); }),
            "block:2:19: kwargs.delta_t: 1 is out of range, expected ≥ 2");
}

}  // namespace
}  // namespace sparsify

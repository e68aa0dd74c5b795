#include "sparsity/training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "sparsity/base/interrupt.h"
#include "sparsity/base/parallel.h"
#include "tests/support/compare.h"
#include "tests/training/training_support.h"

namespace sparsify {
namespace {

using testing::FormulaImages;
using testing::SameBits;
using testing::TemporaryFolder;
using testing::TinyNet;
using testing::TinyRun;

constexpr int64_t kSteps = 9;

// --- masks -------------------------------------------------------------------------------------

TEST(Trainer, AStaticMaskHoldsWhatItPrunes) {
  for (const std::string optimizer : {"sgd", "adam", "adamw"}) {
    TinyRun run(0.5);
    run.options.optimizer = optimizer;
    const Graph before = run.graph;
    const TrainingResult result = run.Train(kSteps);
    ASSERT_EQ(result.masks.size(), 2U);
    for (const auto& [name, mask] : result.masks) {
      SCOPED_TRACE(optimizer + " " + name);
      const Tensor& dense = testing::ParameterOf(before, name);
      const Tensor& latent = result.state.parameters.at(name);
      const Tensor& sparse = run[name];
      EXPECT_EQ(mask.CountPruned(), mask.size() / 2);
      EXPECT_EQ(CountZeros(sparse), mask.CountPruned());
      int64_t moved = 0;
      for (int64_t i = 0; i < mask.size(); ++i) {
        if (!mask[i]) {
          EXPECT_EQ(std::bit_cast<uint32_t>(latent[i]), std::bit_cast<uint32_t>(dense[i]));
          EXPECT_EQ(std::bit_cast<uint32_t>(sparse[i]), 0U);
        } else {
          EXPECT_EQ(std::bit_cast<uint32_t>(latent[i]), std::bit_cast<uint32_t>(sparse[i]));
          moved += latent[i] != dense[i];
        }
      }
      EXPECT_EQ(moved, mask.CountKept());
    }
    EXPECT_NEAR(result.state.rows.back().sparsity, 50, 1e-12);
  }
}

TEST(Trainer, TheFirstStepAlreadyComputesWithTheMask) {
  // One step is made from the loss of the masked network, which another network is.
  TinyRun masked(0.5);
  const TrainingResult result = masked.Train(1);
  Graph sparse = TinyNet();
  for (const auto& [name, mask] : result.masks) {
    ApplyMask(mask, sparse.mutable_value(sparse.FindValue(name)).data);
  }
  TinyRun dense(-1, true, sparse);
  EXPECT_EQ(result.state.rows[0].loss, dense.Train(1).state.rows[0].loss);
  TinyRun whole;
  EXPECT_NE(result.state.rows[0].loss, whole.Train(1).state.rows[0].loss);
}

TEST(Trainer, APrunedWeightComesBackWhereMasksAreNotStatic) {
  TinyRun first(0.5, false);
  first.options.lr_schedule = "constant";
  const auto early = first.Train(1).masks;
  TinyRun last(0.5, false);
  last.options.lr_schedule = "constant";
  const TrainingResult result = last.Train(40);
  int64_t back = 0;
  for (const auto& [name, mask] : result.masks) {
    EXPECT_EQ(mask.CountPruned(), mask.size() / 2);
    EXPECT_EQ(CountZeros(last[name]), mask.CountPruned());
    for (int64_t i = 0; i < mask.size(); ++i) back += mask[i] && !early.at(name)[i];
  }
  EXPECT_GT(back, 0);
}

TEST(Trainer, LayersThatStayDenseHaveNoMask) {
  TinyRun run(0.5);
  run.per_layer = {-1, 0.25};
  const TrainingResult result = run.Train(3);
  EXPECT_EQ(result.masks.size(), 1U);
  EXPECT_EQ(result.masks.at("fc.weight").CountPruned(), 3);
  EXPECT_EQ(CountZeros(run["conv.weight"]), 0);
  EXPECT_NEAR(result.state.rows.back().sparsity, 25, 1e-12);
}

TEST(Trainer, AStageGoesOnFromTheLatentWeightsOfTheOneBefore) {
  // A rule that looks at the weights when it begins.
  class Looking : public MaskedRule {
   public:
    using MaskedRule::MaskedRule;
    void Begin(std::span<TrainedWeight> weights, int64_t /*steps*/) override {
      seen = weights[0].latent;
    }
    Tensor seen;
  };
  TinyRun first(0.5);
  TrainingState left = first.Train(3).state;
  TinyRun second(0.75, true, first.graph);
  const auto generator = std::make_shared<NormalMaskGenerator>(NormalMaskOptions{});
  auto looking = std::make_unique<Looking>("BaseScheduler", RuleContext{generator, true, 5});
  const Looking& rule = *looking;
  second.rule = std::move(looking);
  second.start = left;
  second.start->step = 0;
  const TrainingResult result = second.Train(3);
  EXPECT_TRUE(SameBits(rule.seen, left.parameters.at("conv.weight")));
  EXPECT_EQ(result.masks.at("conv.weight").CountPruned(), 54);
  EXPECT_EQ(result.state.position, 24);
  EXPECT_EQ(result.state.rows.size(), 3U);
  EXPECT_DOUBLE_EQ(result.state.rows.back().epoch, 2.4);
}

// --- the same run again ------------------------------------------------------------------------

struct Kind {
  std::string optimizer;
  double sparsity;
  bool mask_is_static;
};

void ExpectSame(const TinyRun& run, const TrainingResult& result, const TinyRun& expected_run,
                const TrainingResult& expected) {
  EXPECT_TRUE(SameBits(run.graph, expected_run.graph));
  EXPECT_TRUE(SameBits(result.state.parameters, expected.state.parameters));
  EXPECT_TRUE(SameBits(result.state.optimizer, expected.state.optimizer));
  EXPECT_EQ(result.masks, expected.masks);
  EXPECT_EQ(result.state.position, expected.state.position);
}

class TrainerContinues : public ::testing::TestWithParam<Kind> {};

TEST_P(TrainerContinues, BitByBitAfterAnyStep) {
  const Kind& kind = GetParam();
  const auto make = [&] {
    TinyRun run(kind.sparsity, kind.mask_is_static);
    run.options.optimizer = kind.optimizer;
    run.options.lr = kind.optimizer == "sgd" ? 0.2 : 0.02;
    run.options.log_interval = 4;
    run.options.augment.crop = run.options.augment.flip = true;
    run.data = FormulaImages(10);
    return run;
  };
  TinyRun whole = make();
  const TrainingResult expected = whole.Train(kSteps);
  const TemporaryFolder folder;
  const std::string path = folder.path() / "state.h5";
  for (const int64_t broken_off : {1, 5}) {
    SCOPED_TRACE(broken_off);
    // The run is torn down by its own callback, after the state of the step before was saved.
    TinyRun first = make();
    first.options.save_interval = 0;
    first.state_path = path;
    first.options.log_interval = 1;  // the callback's
    first.on_row = [&](const std::vector<TrainingRow>& rows) {
      if (rows.back().step == broken_off + 1) Fail("test", "killed");
    };
    EXPECT_EQ(first.Message(kSteps), "test: killed");
    TinyRun second = make();
    second.start = LoadTrainingState(path);
    ASSERT_EQ(second.start->step, broken_off);
    ExpectSame(second, second.Train(kSteps), whole, expected);
  }
  // A run that has made all its steps is finished again.
  TinyRun again = make();
  again.start = expected.state;
  ExpectSame(again, again.Train(kSteps), whole, expected);
}

INSTANTIATE_TEST_SUITE_P(Kinds, TrainerContinues,
                         ::testing::Values(Kind{"sgd", 0.5, true}, Kind{"sgd", 0.5, false},
                                           Kind{"adamw", 0.5, true}, Kind{"adamw", 0.5, false},
                                           Kind{"sgd", -1, true}),
                         [](const auto& kind) {
                           const char* masks = kind.param.mask_is_static ? "Static" : "NotStatic";
                           return kind.param.optimizer +
                                  (kind.param.sparsity < 0 ? "Dense" : masks);
                         });

void ExpectSameRow(const TrainingRow& a, const TrainingRow& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.top1, b.top1);
  EXPECT_EQ(a.learning_rate, b.learning_rate);
  EXPECT_EQ(a.sparsity, b.sparsity);
  EXPECT_GT(a.images_per_second, 0);
}

// In a process of its own: the flag is never cleared.
TEST(TrainerDeathTest, CtrlCSavesTheStateInTheMiddleOfARow) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const TemporaryFolder folder;
  setenv("SPARSIFY_TEST_STATE", (folder.path() / "state.h5").c_str(), 0);  // the child has it
  const std::string path = std::getenv("SPARSIFY_TEST_STATE");
  // The signal comes from a dataset that is asked for the images of the sixth batch, at the latest.
  class Signalling : public FormulaImages {
   public:
    using FormulaImages::FormulaImages;
    int64_t Load(int64_t i, float* image) const override {
      if (++loads_ == 21) std::raise(SIGINT);
      return FormulaImages::Load(i, image);
    }

   private:
    mutable std::atomic<int> loads_ = 0;
  };
  EXPECT_EXIT(
      {
        InstallInterruptHandlers();
        TinyRun run(0.5);
        run.options.log_interval = 4;
        const Signalling data(10);
        try {
          Train({.graph = run.graph,
                 .layers = run.layers,
                 .data = data,
                 .seed = 5,
                 .steps = kSteps,
                 .rule = run.rule.get(),
                 .sparsity = run.per_layer,
                 .title = {},
                 .state_path = path},
                run.options);
        } catch (const Error& error) {
          std::_Exit(error.kind() == ErrorKind::kInterrupted ? 42 : 1);
        }
        std::_Exit(2);
      },
      ::testing::ExitedWithCode(42), "");
  TinyRun whole(0.5);
  whole.options.log_interval = 4;
  const TrainingResult expected = whole.Train(kSteps);
  TinyRun second(0.5);
  second.options.log_interval = 4;
  second.start = LoadTrainingState(path);
  EXPECT_GE(second.start->step, 5);
  EXPECT_LT(second.start->step, 8);
  EXPECT_EQ(second.start->rows.size(), 1U);
  EXPECT_EQ(second.start->since_row.steps, second.start->step - 4);
  EXPECT_GT(second.start->since_row.seconds, 0);
  const TrainingResult result = second.Train(kSteps);
  EXPECT_TRUE(SameBits(second.graph, whole.graph));
  ASSERT_EQ(result.state.rows.size(), 3U);
  for (size_t i = 0; i < 3; ++i) ExpectSameRow(result.state.rows[i], expected.state.rows[i]);
}

TEST(Trainer, NeitherSavingNorLoggingChangesAnything) {
  TinyRun plain(0.5, false);
  plain.Train(kSteps);
  const TemporaryFolder folder;
  TinyRun busy(0.5, false);
  busy.state_path = folder.path() / "state.h5";
  busy.options.save_interval = 0;
  busy.options.log_interval = 5;
  const TrainingResult result = busy.Train(kSteps);
  EXPECT_TRUE(SameBits(plain.graph, busy.graph));
  ASSERT_EQ(result.state.rows.size(), 2U);
  EXPECT_EQ(result.state.rows[0].step, 5);
  EXPECT_EQ(result.state.rows[1].step, kSteps);
}

TEST(Trainer, TheSeedDecides) {
  TinyRun a;
  TinyRun same;
  TinyRun other;
  other.seed = 6;
  a.Train(kSteps);
  same.Train(kSteps);
  other.Train(kSteps);
  EXPECT_TRUE(SameBits(a.graph, same.graph));
  EXPECT_FALSE(SameBits(a.graph, other.graph));
}

TEST(Trainer, ThreadsChangeRoundingAlone) {
  const auto run_on = [](int threads) {
    SetThreads(threads);
    TinyRun run(0.5, false);
    run.options.augment.crop = run.options.augment.flip = true;
    const TrainingResult result = run.Train(kSteps);
    SetThreads(0);
    return std::pair(run.graph, result);
  };
  const auto [one, on_one] = run_on(1);
  const auto [two, on_two] = run_on(2);
  for (const Value& value : one.values()) {
    if (!value.is_parameter) continue;
    EXPECT_LT(testing::RelativeError(testing::ParameterOf(two, value.name), value.data), 1e-5);
  }
  for (size_t i = 0; i < on_one.state.rows.size(); ++i) {
    EXPECT_NEAR(on_one.state.rows[i].loss, on_two.state.rows[i].loss, 1e-6);
  }
}

// --- networks and batches ----------------------------------------------------------------------

TEST(Trainer, AFinalSoftmaxIsLeftOut) {
  TinyRun plain;
  TinyRun with(-1, true, TinyNet(0, true, true));
  const LogCapture log;
  const TrainingResult expected = plain.Train(3);
  EXPECT_EQ(with.Train(3).state.rows[2].loss, expected.state.rows[2].loss);
  EXPECT_TRUE(SameBits(with["conv.weight"], plain["conv.weight"]));
  EXPECT_TRUE(log.Contains("tiny: training leaves out the Softmax at the end"));
}

TEST(Trainer, AFixedBatchSizeIsKept) {
  TinyRun free;
  TinyRun fixed(-1, true, TinyNet(0, true, false, 4));
  free.Train(3);
  fixed.Train(3);
  EXPECT_TRUE(SameBits(free["conv.weight"], fixed["conv.weight"]));
}

TEST(Trainer, ABatchMayBeLargerThanTheSet) {
  TinyRun run;
  run.data = FormulaImages(3);
  run.options.batch = 8;
  const TrainingResult result = run.Train(3);
  EXPECT_EQ(result.state.position, 24);
  EXPECT_DOUBLE_EQ(result.state.rows.back().epoch, 8);
}

TEST(Trainer, BrokenImagesAreLeftOutAndSaid) {
  // Positions 0 … 11 are the images 1 6 7 4 | 8 3 2 0 | 9 5 6 8.
  TinyRun run(0.5);
  run.data.broken = {1, 6, 7, 4, 3};
  const LogCapture log;
  const TrainingResult result = run.Train(2);
  // The first batch has no image: it is no step, and the mask is made in the first that is one.
  EXPECT_EQ(result.masks.at("conv.weight").CountPruned(), 36);
  EXPECT_EQ(result.state.position, 12);
  EXPECT_EQ(result.state.rows.size(), 2U);
  EXPECT_TRUE(log.Contains("training: 6 times an image was left out of a batch"));
}

TEST(Trainer, ANetworkOfFixedBatchSizeLeavesOutBatchesWithABrokenImage) {
  TinyRun run(-1, true, TinyNet(0, true, false, 4));
  run.data.broken = {3};  // in the second batch
  const LogCapture log;
  EXPECT_EQ(run.Train(2).state.position, 12);
  EXPECT_TRUE(log.Contains("training: 4 times an image was left out of a batch"));
}

TEST(Trainer, RowsAreMeansOverTheirSteps) {
  TinyRun fine;
  TinyRun coarse;
  coarse.options.log_interval = 3;
  const auto rows = fine.Train(6).state.rows;
  const auto means = coarse.Train(6).state.rows;
  ASSERT_EQ(means.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(means[i].loss, (rows[3 * i].loss + rows[3 * i + 1].loss + rows[3 * i + 2].loss) / 3,
                1e-12);
    EXPECT_NEAR(means[i].top1, (rows[3 * i].top1 + rows[3 * i + 1].top1 + rows[3 * i + 2].top1) / 3,
                1e-12);
    EXPECT_EQ(means[i].learning_rate, rows[3 * i + 2].learning_rate);
    EXPECT_EQ(means[i].step, rows[3 * i + 2].step);
    EXPECT_EQ(means[i].epoch, rows[3 * i + 2].epoch);
  }
}

TEST(Trainer, AWarmUpThatIsTooLongIsSaid) {
  TinyRun run;
  run.options.warm_up = 3;
  const LogCapture log;
  const auto rows = run.Train(3).state.rows;
  EXPECT_TRUE(log.Contains("training.warm_up: 3 steps, but the run has 3"));
  EXPECT_NEAR(rows[0].learning_rate, 0.2 / 3, 1e-12);
  EXPECT_NEAR(rows[2].learning_rate, 0.2, 1e-12);
}

}  // namespace
}  // namespace sparsify

// Training by several ranks (threads of the test) against training by one.
#include "sparsity/training/data_parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <mutex>

#include "sparsity/base/interrupt.h"
#include "tests/support/compare.h"
#include "tests/support/thread_ranks.h"
#include "tests/training/training_support.h"

namespace sparsify {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FormulaImages;
using ::testing::HasSubstr;
using testing::MessageOf;
using testing::RelativeError;
using testing::RunRanks;
using testing::SameBits;
using testing::TemporaryFolder;
using testing::TinyNet;
using testing::TinyRun;

constexpr int64_t kSteps = 8;

struct Case {
  std::string name;
  int ranks = 2;
  std::function<std::unique_ptr<TinyRun>()> make;
};

std::unique_ptr<TinyRun> Plain(double sparsity = -1, Graph graph = TinyNet()) {
  return std::make_unique<TinyRun>(sparsity, false, std::move(graph));
}

// Without batch norm: the bias before one has a gradient of rounding errors alone, of which Adam
// makes whole steps.
std::unique_ptr<TinyRun> Augmented() {
  auto run = Plain(0.5, TinyNet(0, false));
  run->options.optimizer = "adamw";
  run->options.lr = 0.02;
  run->options.clip_norm = 0.5;
  run->options.augment.crop = run->options.augment.flip = true;
  run->options.batch = 7;
  return run;
}

std::unique_ptr<TinyRun> Distilled() {
  static const Graph teacher = TinyNet(20);
  auto run = Plain(0.5);
  run->options.distillation = DistillationOptions{.weight = 2, .temperature = 3};
  run->teacher = &teacher;
  return run;
}

std::unique_ptr<TinyRun> Broken() {
  auto run = Plain();
  run->data.broken = {1, 6, 2, 9};  // the first batch is 1, 6, 7, 4: all of rank 0's are broken
  return run;
}

std::unique_ptr<TinyRun> Few(int64_t batch) {
  auto run = Plain();
  run->options.batch = batch;
  return run;
}

std::vector<Case> Cases() {
  return {
      {"TwoRanks", 2, [] { return Plain(); }},     {"UnevenShares", 3, [] { return Plain(0.5); }},
      {"EmptyShares", 3, [] { return Few(2); }},   {"BrokenImages", 2, Broken},
      {"AdamWClippedAugmented", 4, Augmented},     {"Distilled", 2, Distilled},
      {"SevenRanks", 7, [] { return Plain(0.5); }}};
}

class DataParallel : public ::testing::TestWithParam<Case> {};

void ExpectNear(const TinyRun& run, const TrainingResult& result, const TinyRun& alone,
                const TrainingResult& expected) {
  for (const auto& [name, tensor] : expected.state.parameters) {
    EXPECT_LT(RelativeError(result.state.parameters.at(name), tensor), 2e-5) << name;
    EXPECT_LT(RelativeError(run[name], alone[name]), 2e-5) << name;
  }
  EXPECT_EQ(result.masks, expected.masks);
  EXPECT_EQ(result.state.position, expected.state.position);
  ASSERT_EQ(result.state.rows.size(), expected.state.rows.size());
  for (size_t i = 0; i < expected.state.rows.size(); ++i) {
    EXPECT_NEAR(result.state.rows[i].loss, expected.state.rows[i].loss, 1e-5);
    EXPECT_DOUBLE_EQ(result.state.rows[i].top1, expected.state.rows[i].top1);
    EXPECT_EQ(result.state.rows[i].step, expected.state.rows[i].step);
    EXPECT_DOUBLE_EQ(result.state.rows[i].epoch, expected.state.rows[i].epoch);
  }
}

TEST_P(DataParallel, IsTheRunOfOneRankToRounding) {
  const auto alone = GetParam().make();
  const TrainingResult expected = alone->Train(kSteps);
  ASSERT_FALSE(SameBits(alone->graph, GetParam().make()->graph)) << "it learns";
  std::mutex mutex;
  std::map<std::string, Tensor> first;
  RunRanks(GetParam().ranks, [&](Communicator& ranks) {
    const auto run = GetParam().make();
    run->ranks = &ranks;
    const TrainingResult result = run->Train(kSteps);
    ExpectNear(*run, result, *alone, expected);
    const std::scoped_lock lock(mutex);
    if (first.empty()) first = result.state.parameters;
    EXPECT_TRUE(SameBits(result.state.parameters, first)) << "every rank has the same bits";
  });
}

INSTANTIATE_TEST_SUITE_P(Cases, DataParallel, ::testing::ValuesIn(Cases()),
                         [](const auto& of) { return of.param.name; });

TEST(DataParallelTraining, GoesOnWithAnotherNumberOfRanks) {
  const TemporaryFolder folder;
  const std::string path = folder.path() / "state.h5";
  const auto alone = Augmented();
  const TrainingResult expected = alone->Train(kSteps);
  EXPECT_EQ(MessageOf([&] {
              RunRanks(3, [&](Communicator& ranks) {
                const auto run = Augmented();
                run->ranks = &ranks;
                run->options.save_interval = 0;
                run->state_path = path;
                run->on_row = [&](const std::vector<TrainingRow>& rows) {
                  if (ranks.Rank() == 2 && rows.back().step == 5) Fail("test", "rank 2 dies");
                };
                run->Train(kSteps);
              });
            }),
            "test: rank 2 dies");
  const TrainingState saved = LoadTrainingState(path);
  EXPECT_EQ(saved.step, 4);
  for (const int size : {1, 2}) {
    RunRanks(size, [&](Communicator& ranks) {
      const auto run = Augmented();
      run->ranks = &ranks;
      run->start = saved;
      ExpectNear(*run, run->Train(kSteps), *alone, expected);
    });
  }
}

TEST(DataParallelTraining, ARankThatStartsFromAnotherStateIsNamed) {
  EXPECT_EQ(MessageOf([] {
              RunRanks(3, [](Communicator& ranks) {
                TinyRun run(-1, true, TinyNet(ranks.Rank() == 2 ? 1 : 0));
                run.ranks = &ranks;
                run.Train(2);
              });
            }),
            "training: before step 1 rank 2 holds other parameters than rank 0; all must read the "
            "same files (network, run folder) and run on machines of one kind; what was saved "
            "before is good");
}

TEST(DataParallelTraining, ADeviationIsFoundBeforeItIsSaved) {
  const TemporaryFolder folder;
  const std::string path = folder.path() / "state.h5";
  const std::string message = MessageOf([&] {
    RunRanks(2, [&](Communicator& ranks) {
      TinyRun run;
      run.ranks = &ranks;
      run.state_path = path;
      run.options.save_interval = 0;
      run.on_row = [&](const std::vector<TrainingRow>& rows) {
        if (ranks.Rank() == 1 && rows.back().step == 3) {
          run.graph.mutable_value(run.graph.FindValue("bn.running_var")).data[2] += 1e-6F;
        }
      };
      run.Train(kSteps);
    });
  });
  EXPECT_THAT(message, HasSubstr("after step 3 rank 1 holds other parameters than rank 0"));
  EXPECT_EQ(LoadTrainingState(path).step, 2);
}

TEST(DataParallelTraining, OnlyTheFirstRankSavesAndEveryRankHasTheRows) {
  const TemporaryFolder folder;
  RunRanks(2, [&](Communicator& ranks) {
    TinyRun run;
    run.ranks = &ranks;
    run.options.save_interval = 0;
    run.state_path = folder.path() / std::to_string(ranks.Rank());
    EXPECT_EQ(run.Train(3).state.rows.size(), 3U);
    EXPECT_EQ(std::filesystem::exists(run.state_path), ranks.IsFirst());
  });
}

TEST(DataParallelTraining, AnImageThatIsNotFiniteIsNamedByItsRank) {
  // The first batch is 1, 6, 7, 4.
  EXPECT_EQ(MessageOf([] {
              RunRanks(2, [](Communicator& ranks) {
                TinyRun run(-1, true, TinyNet(0, false));
                run.data.not_a_number = 7;
                run.ranks = &ranks;
                run.Train(2);
              });
            }),
            "training: step 1: image img7.png is not finite; lower training.lr or "
            "training.clip_norm");
}

TEST(DataParallelTraining, ANetworkOfFixedBatchSizeIsRefused) {
  EXPECT_EQ(MessageOf([] {
              RunRanks(2, [](Communicator& ranks) {
                TinyRun run(-1, true, TinyNet(0, true, false, 4));
                run.ranks = &ranks;
                run.Train(2);
              });
            }),
            "tiny: fixes the batch size to 4, but each of 2 ranks computes a part of a batch; "
            "export it with a free batch dimension, or train without mpirun");
}

// In a process of its own: the flag is never cleared.
TEST(DataParallelDeathTest, ASignalStopsAllRanksAtTheSameStep) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const TemporaryFolder folder;
  setenv("SPARSIFY_TEST_STATE", (folder.path() / "state.h5").c_str(), 0);  // the child has it
  const std::string path = std::getenv("SPARSIFY_TEST_STATE");
  EXPECT_EXIT(
      {
        InstallInterruptHandlers();
        std::atomic<int> stopped = 0;
        try {
          RunRanks(2, [&](Communicator& ranks) {
            TinyRun run;
            run.ranks = &ranks;
            run.state_path = path;
            run.on_row = [&](const std::vector<TrainingRow>& rows) {
              if (ranks.Rank() == 1 && rows.back().step == 3) std::raise(SIGTERM);
            };
            const std::string message = run.Message(kSteps);
            stopped +=
                message == "stopped on request; what is finished is saved, continue with --resume";
          });
        } catch (...) {
          std::_Exit(1);
        }
        std::_Exit(stopped == 2 && LoadTrainingState(path).step >= 3 ? 130 : 2);
      },
      ::testing::ExitedWithCode(130), "");
  unsetenv("SPARSIFY_TEST_STATE");
}

TEST(RowsOfRank, AreContiguousAndEven) {
  const auto rows = [](int64_t batch, int size) {
    std::vector<int64_t> ends(static_cast<size_t>(size));
    std::vector<int64_t> begins(ends.size());
    RunRanks(size, [&](Communicator& ranks) {
      const BatchRows mine = RowsOfRank(batch, ranks);
      begins[static_cast<size_t>(ranks.Rank())] = mine.begin;
      ends[static_cast<size_t>(ranks.Rank())] = mine.end;
    });
    for (size_t i = 1; i < ends.size(); ++i) EXPECT_EQ(begins[i], ends[i - 1]);
    EXPECT_EQ(begins[0], 0);
    return ends;
  };
  EXPECT_THAT(rows(64, 1), ElementsAre(64));
  EXPECT_THAT(rows(8, 3), ElementsAre(2, 5, 8));
  EXPECT_THAT(rows(2, 3), ElementsAre(0, 1, 2));
}

TEST(SumGradients, AddsUpWhatCounts) {
  RunRanks(3, [](Communicator& ranks) {
    std::map<ValueId, Tensor> gradients;
    gradients[3] = Tensor({2});
    gradients[5] = Tensor({1, 3});
    for (auto& [id, gradient] : gradients) gradient.Fill(static_cast<float>(id + ranks.Rank()));
    SumGradients(ranks, ranks.Rank() != 1, gradients);
    EXPECT_THAT(gradients[3].values(), ElementsAre(8, 8));
    EXPECT_THAT(gradients[5].values(), ElementsAre(12, 12, 12));
  });
}

TEST(CheckSameState, LooksAtEveryPart) {
  TinyRun run(0.5);
  const TrainingState state = run.Train(2).state;
  const auto message = [&](const std::function<void(TrainingState&)>& change) {
    return MessageOf([&] {
      RunRanks(2, [&](Communicator& ranks) {
        TrainingState own = state;
        if (ranks.Rank() == 1) change(own);
        CheckSameState(ranks, own, "now");
      });
    });
  };
  EXPECT_EQ(message([](TrainingState& s) { s.rows.clear(); }), "no error");
  const auto differs = HasSubstr("now rank 1 holds other parameters");
  EXPECT_THAT(message([](TrainingState& s) { ++s.step; }), differs);
  EXPECT_THAT(message([](TrainingState& s) { ++s.position; }), differs);
  EXPECT_THAT(message([](TrainingState& s) { s.parameters.at("fc.bias")[2] *= 1.0000001F; }),
              differs);
  EXPECT_THAT(message([](TrainingState& s) { s.parameters.at("fc.weight")[0] *= -1; }), differs);
  EXPECT_THAT(message([](TrainingState& s) { s.optimizer.begin()->second[0] += 1; }), differs);
  EXPECT_THAT(message([](TrainingState& s) { s.rule["x"] = Tensor({1}); }), differs);
  EXPECT_THAT(message([](TrainingState& s) {
                Mask& mask = s.masks.at("fc.weight");
                mask.Set(0, !mask[0]);
              }),
              differs);
}

}  // namespace
}  // namespace sparsify

#include "schedulers/scheduler_options.h"
#include "sparsity/mask/mask.h"
#include "tests/cli/pipeline_fixture.h"
#include "tests/io/event_reader.h"

namespace sparsify {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TrainingPipelineTest : public PipelineTest {
 protected:
  std::vector<std::string> Sets(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> sets = {
        fmt::format("data.training={{type: idx, path: {}, labels: {}}}", folder_.Path("images.idx"),
                    folder_.Path("labels.idx")),
        "benchmark=None", "training={iterations: 8, batch: 5, lr: 0.05, log_interval: 2}"};
    sets.insert(sets.end(), more.begin(), more.end());
    return sets;
  }

  std::vector<std::string> LevelPrune(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> sets = {
        "sparsity.scheduler={type: AmbaLevelPruneScheduler, kwargs: {sparsity_table: [50, 75], "
        "prun_algo: 0, no_prune_layer: fc}}"};
    sets.insert(sets.end(), more.begin(), more.end());
    return Sets(sets);
  }

  void ExpectZerosAsMasked(double percent, const std::string& name) {
    const auto [weight, mask] = Weight(percent, name);
    EXPECT_EQ(CountZeros(weight), mask.CountPruned());
    for (int64_t i = 0; i < weight.size(); ++i) ASSERT_EQ(weight[i] != 0, mask[i]);
  }

  std::string MistakeOf(const std::vector<std::string>& sets) {
    return ErrorOf([&] { Run(sets); });
  }
};

TEST_F(TrainingPipelineTest, StagesOfOneRunLeaveACheckpointEach) {
  EXPECT_THAT(Run(LevelPrune(), {.dry_run = true}),
              HasSubstr("training    4 steps of each stage, one after the other; 5 images of 21"));
  const std::string output = Run(LevelPrune());
  EXPECT_THAT(output, HasSubstr("training.csv"));
  EXPECT_THAT(Column(files_.Accuracy(), "method"),
              ElementsAre("dense", "NormalMaskGenerator/Uniform/AmbaLevelPruneScheduler",
                          "NormalMaskGenerator/Uniform/AmbaLevelPruneScheduler"));
  EXPECT_THAT(Column(files_.Accuracy(), "achieved_sparsity"),
              ElementsAre("0.00", "50.00", "75.00"));
  EXPECT_THAT(Column(files_.Training(), "sparsity"), ElementsAre("50", "50", "75", "75"));
  EXPECT_THAT(Column(files_.Training(), "step"), ElementsAre("2", "4", "2", "4"));
  EXPECT_THAT(Column(files_.Training(), "epoch"),  // 10, 20, 30 and 40 of 21 images
              ElementsAre("0.476", "0.952", "1.429", "1.905"));
  EXPECT_THAT(Column(files_.Training(), "mask_sparsity"),
              ElementsAre("50.00", "50.00", "75.00", "75.00"));
  EXPECT_THAT(Column(files_.Times(), "phase"), ::testing::Contains("training: backward"));
  EXPECT_THAT(ReadFile(files_.Report(), 1 << 24), HasSubstr("Loss in training"));
  for (const double percent : {50, 75}) {
    for (const char* name : {"conv1.weight", "conv2.weight"}) ExpectZerosAsMasked(percent, name);
    EXPECT_FALSE(fs::exists(files_.TrainingState(percent)));
  }
  const Checkpoint last = LoadModelFile(files_.Checkpoint(75));
  EXPECT_THAT(last.history.back().action, HasSubstr("trained 4 steps of 5 images of "));
  const Checkpoint dense = LoadModelFile(folder_.Path("tiny.h5"));
  const auto mean = [](const Checkpoint& of) {
    return of.graph.value(of.graph.FindValue("norm1.running_mean")).data[0];
  };
  EXPECT_NE(mean(last), mean(dense)) << "running statistics follow the training";
}

TEST_F(TrainingPipelineTest, AStageGoesOnFromWhatTheOneBeforeHasLeft) {
  Run(LevelPrune());
  const auto [weight, mask] = Weight(75, "conv2.weight");
  fs::remove_all(files_.folder());
  // The same two stages by two runs: the second finds the first one's record and state.
  Run(LevelPrune());
  fs::remove(files_.Record(75));
  fs::remove(files_.Report());
  EXPECT_THAT(ErrorOf([&] { Run(LevelPrune(), {.resume = true}); }),
              HasSubstr("training_50.h5: missing; the stage goes on from the weights of the one "
                        "before; remove "));
  fs::remove(files_.Record(50));
  Run(LevelPrune(), {.resume = true});
  const auto [again, same] = Weight(75, "conv2.weight");
  EXPECT_EQ(same, mask);
  for (int64_t i = 0; i < weight.size(); ++i) ASSERT_EQ(again[i], weight[i]);
}

TEST_F(TrainingPipelineTest, AmpereMasksAreTwoOfFourAfterThePermutation) {
  Run(
      Sets({"sparsity.scheduler={type: AmpereScheduler, kwargs: {allow_permutation: True, "
            "verbosity: 3}}"}));
  EXPECT_TRUE(log_.Contains("channel permutation: the masks keep "));
  EXPECT_THAT(Column(files_.Permutation(), "name"),
              ElementsAre("conv1", "conv2", "fc", "conv1", "conv2", "fc", "-"));
  EXPECT_THAT(Column(files_.Accuracy(), "method")[1], "NMMaskGenerator/Uniform/AmpereScheduler");
  const auto [weight, mask] = Weight(50, "conv2.weight");
  for (int64_t o = 0; o < 16; ++o) {
    for (int64_t tap = 0; tap < 9; ++tap) {
      for (int64_t group = 0; group < 4; ++group) {
        int kept = 0;
        for (int64_t i = 4 * group; i < 4 * group + 4; ++i) kept += mask[(o * 16 + i) * 9 + tap];
        ASSERT_EQ(kept, 2);
      }
    }
  }
  EXPECT_NE(Column(files_.Layers(), "skipped")[3], "") << "one input channel";
}

TEST_F(TrainingPipelineTest, EverySchedulerReachesTheSparsity) {
  for (const std::string_view type : SchedulerTypes()) {
    if (type == "AmpereScheduler" || type == "AmbaLevelPruneScheduler") continue;
    SCOPED_TRACE(type);
    fs::remove_all(files_.folder());
    Run(Sets({fmt::format("sparsity.scheduler={{type: {}}}", type), "sweep=[75]"}));
    EXPECT_THAT(Column(files_.Accuracy(), "achieved_sparsity"), ElementsAre("0.00", "75.00"));
    EXPECT_THAT(Column(files_.Training(), "sparsity"), Each("75"));
    for (const char* name : {"conv1.weight", "conv2.weight"}) ExpectZerosAsMasked(75, name);
  }
}

TEST_F(TrainingPipelineTest, FromScratchTheDenseNetworkComesFirst) {
  const auto sets = Sets({"training.from_scratch=True", "sweep=[]"});
  EXPECT_THAT(Run(sets, {.dry_run = true}), HasSubstr("training    8 steps from random weights"));
  Run(sets);
  EXPECT_THAT(Column(files_.Training(), "sparsity"), Each("0"));
  const Checkpoint trained = LoadModelFile(files_.Checkpoint(0));
  const Checkpoint given = LoadModelFile(folder_.Path("tiny.h5"));
  const auto weight = [](const Checkpoint& of) {
    return of.graph.value(of.graph.FindValue("conv2.weight")).data;
  };
  EXPECT_NE(weight(trained)[0], weight(given)[0]);
  EXPECT_THAT(trained.history.back().action, HasSubstr("trained from random weights, 8 steps"));
  // A sparsity that is added later starts from the network that was trained.
  Run(Sets({"training.from_scratch=True", "sweep=[50]"}), {.resume = true});
  EXPECT_TRUE(log_.Contains("dense: done before"));
  EXPECT_THAT(Column(files_.Accuracy(), "sparsity"), ElementsAre("0", "50"));
}

TEST_F(TrainingPipelineTest, CurvesForTensorBoardAreTheTables) {
  using ::testing::Pair;
  EXPECT_THAT(Run(LevelPrune(), {.dry_run = true}), ::testing::Not(HasSubstr("events/")));
  const std::string on = "training.tensorboard=True";
  EXPECT_THAT(Run(LevelPrune({on}), {.dry_run = true}), HasSubstr("training.csv, events/, "));
  EXPECT_THAT(Run(LevelPrune({on})), HasSubstr("training.csv, events, "));
  const std::vector<std::string> sparsity = Column(files_.Training(), "sparsity");
  const std::vector<std::string> step = Column(files_.Training(), "step");
  const std::vector<std::string> loss = Column(files_.Training(), "loss");
  for (size_t i = 0; i < loss.size(); ++i) {
    const auto curve = testing::ReadCurve(files_.Events(std::stod(sparsity[i])), "training/loss");
    ASSERT_EQ(curve.size(), 2U);
    EXPECT_NEAR(curve.at(std::stoll(step[i])), std::stod(loss[i]), 1e-5);
  }
  // The option decides nothing about the results: a run may go on without it, or with it again.
  for (const auto& sets : {LevelPrune(), LevelPrune({on})}) {
    for (const double percent : {50, 75}) fs::remove(files_.Record(percent));
    fs::remove(files_.Report());
    Run(sets, {.resume = true});
  }
  EXPECT_EQ(testing::ReadCurve(files_.Events(75), "training/loss").size(), 2U);
  // A run that is replaced leaves no curve behind.
  Run(LevelPrune());
  EXPECT_FALSE(fs::exists(files_.Events()));
}

TEST_F(TrainingPipelineTest, AnotherResolutionIsForTrainingOnly) {
  const auto weight = [&] { return Weight(75, "conv2.weight").first; };
  const auto equal = [](const Tensor& a, const Tensor& b) {
    return std::equal(a.values().begin(), a.values().end(), b.values().begin());
  };
  const std::string distilled = "training.distillation={weight: 1}";
  Run(LevelPrune({distilled}));
  const Tensor unset = weight();
  fs::remove_all(files_.folder());
  Run(LevelPrune({distilled, "training.resolution=8"}));
  EXPECT_TRUE(equal(weight(), unset)) << "8 is the network's own";
  fs::remove_all(files_.folder());
  const auto sets = LevelPrune({distilled, "training.resolution=6"});
  EXPECT_THAT(Run(sets, {.dry_run = true}), HasSubstr("; 5 images (6×6) of 21 from "));
  Run(sets);
  EXPECT_FALSE(equal(weight(), unset));
  EXPECT_THAT(LoadModelFile(files_.Checkpoint(75)).history.back().action,
              HasSubstr("trained 4 steps of 5 images (6×6) of "));
  fs::remove(files_.Record(75));
  fs::remove(files_.Report());
  EXPECT_THAT(ErrorOf([&] {
                Run(LevelPrune({distilled, "training.resolution=7"}), {.resume = true});
              }),
              HasSubstr("it had \"training.resolution: 6\", now \"training.resolution: 7\""));
}

TEST_F(TrainingPipelineTest, ANetworkOfOneSizeRefusesAnotherResolution) {
  testing::GraphBuilder b("rigid");
  const ValueId x = b.Relu("relu", b.Conv("conv1", b.Input({1, kSide, kSide}), 1, 16, 3));
  Checkpoint checkpoint;
  checkpoint.graph = b.Finish({b.Linear("fc", b.Op(OpType::kFlatten, "flat", {x}), 1024, 4)});
  SaveModelFile(checkpoint, folder_.Path("tiny.h5"));
  const auto sets = LevelPrune({"training.resolution=6"});
  for (const bool dry_run : {true, false}) {
    EXPECT_THAT(ErrorOf([&] { Run(sets, {.dry_run = dry_run}); }),
                ::testing::AllOf(HasSubstr("training.resolution: "),
                                 HasSubstr(" does not take images of 6×6: Gemm \"fc\": ")));
    EXPECT_FALSE(fs::exists(files_.folder()));
  }
}

TEST_F(TrainingPipelineTest, MistakesNameTheirPlace) {
  EXPECT_THAT(MistakeOf({"sparsity.scheduler={type: RigLScheduler}"}),
              HasSubstr("sparsity.scheduler.type: RigLScheduler prunes a network while it is "
                        "trained, but there is no training section; add e.g. training: {epochs: "));
  EXPECT_THAT(output_, "");
  EXPECT_THAT(MistakeOf(LevelPrune({"data.training=None"})),
              HasSubstr("data.training: missing; training needs labelled images"));
  EXPECT_THAT(MistakeOf(LevelPrune({"training.epochs=1"})),
              HasSubstr("training: both epochs (1) and iterations (8) are given"));
  EXPECT_THAT(MistakeOf(LevelPrune({Calibration(), "sparsity.reconstruction={method: obs}"})),
              HasSubstr("remove one of reconstruction and training"));
  EXPECT_THAT(MistakeOf(LevelPrune({"training.lr_milestones=[80, 50]"})),
              HasSubstr("training: training.lr_milestones: 50 comes after 80; they must increase"));
  EXPECT_THAT(MistakeOf(LevelPrune({"training.iterations=1"})),
              HasSubstr("1 iterations are too few for 2 stages"));
  EXPECT_THAT(
      MistakeOf(LevelPrune({"sparsity.scheduler.kwargs.default_input_shape=[1, 3, 32, 32]"})),
      HasSubstr("default_input_shape: the network's input is [1,8,8], not [3,32,32]; leave"));
  EXPECT_THAT(MistakeOf(LevelPrune({"sparsity.scheduler.kwargs.no_prune_layer=conv9"})),
              HasSubstr("conv9"));
  EXPECT_FALSE(fs::exists(files_.folder()));
}

TEST_F(TrainingPipelineTest, IdleKeysAreSaid) {
  Run(LevelPrune({"training.optimizer=adamw", "training.momentum=0.8", "training.lr_gamma=0.5"}),
      {.dry_run = true});
  EXPECT_TRUE(log_.Contains("training.momentum: not used, optimizer is not sgd"));
  EXPECT_TRUE(log_.Contains("training.lr_gamma: not used, lr_schedule is not step"));
  EXPECT_TRUE(log_.Contains("sparsity.layers.no_prune_layer: not used, the scheduler's own keys"));
  Run(Sets({"sparsity.scheduler={type: AmpereScheduler}",
            "sparsity.mask_generator.type=NMMaskGenerator",
            "sparsity.fake_sparse={type: FakeSparse, kwargs: {mask_is_static: True, "
            "weight_correction: True}}"}),
      {.dry_run = true});
  EXPECT_TRUE(log_.Contains("sparsity.mask_generator.type: not used, the scheduler makes masks"));
  EXPECT_TRUE(log_.Contains("kwargs.mask_is_static: not used, the scheduler decides it"));
  EXPECT_TRUE(log_.Contains("kwargs.weight_correction: not used, training corrects"));
}

}  // namespace
}  // namespace sparsify

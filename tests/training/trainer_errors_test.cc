// What stops a training run on the way, what the message says, and what is left on the disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/training/training_support.h"

namespace sparsify {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using testing::FormulaImages;
using testing::GraphBuilder;
using testing::SameBits;
using ::testing::StartsWith;
using testing::TemporaryFolder;
using testing::TinyNet;
using testing::TinyRun;

Tensor& Mutable(Graph& graph, const std::string& name) {
  return graph.mutable_value(graph.FindValue(name)).data;
}

// --- numbers that are not finite ---------------------------------------------------------------

TEST(TrainerErrors, AnOverflowNamesTheStepAndTheFirstLayer) {
  TinyRun run;
  Mutable(run.graph, "fc.weight").Fill(3e38F);
  EXPECT_EQ(run.Message(),
            "training: step 1: the output of layer fc is not finite; lower training.lr or "
            "training.clip_norm");
  TinyRun first;
  Mutable(first.graph, "conv.weight")[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(first.Message(),
            "training: step 1: the output of layer conv is not finite; lower training.lr or "
            "training.clip_norm");
}

TEST(TrainerErrors, ADivergingRunKeepsItsLastGoodState) {
  const TemporaryFolder folder;
  for (const bool clipped : {false, true}) {
    TinyRun run(-1, true, TinyNet(0, false));
    run.options.lr = 1e12;
    run.options.lr_schedule = "constant";
    if (clipped) run.options.clip_norm = 1e30;
    run.options.save_interval = 0;
    run.state_path = folder.path() / "state.h5";
    const std::string message = run.Message(1000);
    const TrainingState state = LoadTrainingState(run.state_path);
    EXPECT_GT(state.step, 0);
    for (const auto& [name, tensor] : state.parameters) {
      EXPECT_EQ(FirstNonFinite(tensor), -1) << name;
    }
    EXPECT_THAT(message,
                AllOf(StartsWith(fmt::format("training: step {}: ", state.step + 1)),
                      EndsWith(fmt::format(
                          " is not finite; lower training.lr or training.clip_norm ({} holds the "
                          "state after step {})",
                          run.state_path, state.step))));
  }
}

TEST(TrainerErrors, AGradientThatIsNotFiniteChangesNoWeight) {
  // Scores of ±1e38 have a finite loss gradient, but times the weights behind them it overflows.
  GraphBuilder b("steep");
  const ValueId x = b.Input({2, 5, 5});
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {b.Conv("conv", x, 2, 2, 1)});
  const ValueId flat = b.Op(OpType::kFlatten, "flatten", {pooled}, {{"axis", int64_t{1}}});
  const ValueId big = b.Linear("big", flat, 2, 2);
  const ValueId small = b.Linear("small", big, 2, 3);
  TinyRun run(-1, true, b.Finish({small}));
  Mutable(run.graph, "conv.weight").Fill(0);
  Mutable(run.graph, "big.weight").Fill(3e38F);
  Mutable(run.graph, "big.bias").Fill(0);
  Mutable(run.graph, "small.weight") = Tensor({3, 2}, {9, 0, -9, 0, 5, 1});
  const Graph before = run.graph;
  const TemporaryFolder folder;
  run.state_path = folder.path() / "state.h5";
  run.options.save_interval = 0;
  EXPECT_EQ(run.Message(),
            "training: step 1: the gradient of conv.weight is not finite; lower training.lr or "
            "training.clip_norm");
  EXPECT_TRUE(SameBits(run.graph, before));
  EXPECT_FALSE(std::filesystem::exists(run.state_path));
}

TEST(TrainerErrors, WeightsThatOverflowInTheLastStepAreNotHandedOut) {
  TinyRun run(-1, true, TinyNet(0, false));
  run.options.lr = 1e300;
  EXPECT_EQ(run.Message(1),
            "training: step 1: parameter conv.bias is not finite; lower training.lr or "
            "training.clip_norm");
}

TEST(TrainerErrors, AnImageThatIsNotFiniteIsNamed) {
  TinyRun run;
  run.data.not_a_number = 3;  // in the second batch
  EXPECT_EQ(run.Message(),
            "training: step 2: image img3.png is not finite; lower training.lr or "
            "training.clip_norm");
}

TEST(TrainerErrors, ATeacherThatIsNotFiniteIsNamed) {
  Graph teacher = TinyNet(20);
  Mutable(teacher, "fc.bias")[1] = std::numeric_limits<float>::infinity();
  TinyRun run;
  run.teacher = &teacher;
  run.options.distillation.emplace();
  EXPECT_EQ(run.Message(),
            "training: step 1: the teacher's output is not finite; lower training.lr or "
            "training.clip_norm");
}

// --- data --------------------------------------------------------------------------------------

TEST(TrainerErrors, LabelsNameTheImage) {
  TinyRun run;
  run.data.unlabelled = 3;
  EXPECT_EQ(run.Message(), "img3.png: has no label; training needs one for every image");
  TinyRun shifted;
  shifted.label_offset = 1;
  // The first image of class 2 in the order 1 6 7 4 | 8 …
  EXPECT_EQ(shifted.Message(),
            "img8.png: label 2 with label_offset 1 is class 3, the network has 3 classes (0 … 2); "
            "check data.transform.label_offset and the labels");
  shifted.label_offset = -1;
  EXPECT_THAT(shifted.Message(),
              StartsWith("img6.png: label 0 with label_offset -1 is class -1, "));
}

TEST(TrainerErrors, ASetOfBrokenImagesStops) {
  TinyRun run(0.5);
  for (int64_t i = 0; i < 10; ++i) run.data.broken.insert(i);
  EXPECT_EQ(run.Message(),
            "data.training: in a whole pass over 10 images there is no batch with an image that is "
            "not broken");
  TinyRun fixed(-1, true, TinyNet(0, true, false, 10));
  fixed.options.batch = 10;
  fixed.data.broken = {3};
  EXPECT_EQ(fixed.Message(),
            "data.training: in a whole pass over 10 images there is no batch of 10 without a "
            "broken image");
}

TEST(TrainerErrors, BatchNormOfASingleValueIsNamed) {
  GraphBuilder b("point");
  const ValueId x = b.Input({2, 5, 5});
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {b.Conv("conv", x, 2, 3, 3)});
  const ValueId norm = b.BatchNorm("bn", pooled, 3);
  TinyRun run(-1, true, b.Finish({b.Op(OpType::kFlatten, "out", {norm}, {{"axis", int64_t{1}}})}));
  run.options.batch = 1;
  EXPECT_THAT(run.Message(),
              AllOf(::testing::HasSubstr("bn"),
                    EndsWith("input [1,3,1,1] has one value a channel, of which training takes no "
                             "variance; use a larger batch")));
  run.options.batch = 2;
  EXPECT_EQ(run.Message(), "no error");
}

// --- states ------------------------------------------------------------------------------------

TEST(TrainerErrors, AStateMustBeOfThisRun) {
  TinyRun run(0.5);
  const TrainingState good = run.Train(4).state;
  const auto message = [&](auto change) {
    TinyRun next(0.5);
    next.start = good;
    change(*next.start, next);
    return next.Message(4);
  };
  EXPECT_EQ(message([](auto&, auto&) {}), "no error");
  EXPECT_EQ(
      message([](auto& state, auto&) { state.step = 5; }),
      "training state: is of step 5 and image 16, this run has 4 steps; it is of another run");
  EXPECT_EQ(
      message([](auto& state, auto&) { state.step = -1; }),
      "training state: is of step -1 and image 16, this run has 4 steps; it is of another run");
  EXPECT_EQ(
      message([](auto& state, auto&) { state.position = -1; }),
      "training state: is of step 4 and image -1, this run has 4 steps; it is of another run");
  EXPECT_EQ(message([](auto& state, auto&) { state.masks.clear(); }),
            "training state: has no mask \"conv.weight\"; it is of another network or run");
  EXPECT_EQ(message([](auto& state, auto&) { state.parameters.erase("bn.bias"); }),
            "training state: has no parameter \"bn.bias\"; it is of another network or run");
  EXPECT_EQ(message([](auto&, auto& next) { next.options.optimizer = "adam"; }),
            "optimizer: the state has no \"conv.weight/steps\"; it is of another optimizer than "
            "adam or of another network");
  EXPECT_EQ(message([](auto& state, auto&) { state.rule["x"] = Tensor({1}); }),
            "BaseScheduler: the state to continue from holds \"x\", which this rule has no use "
            "for");
}

TEST(TrainerErrors, AStateThatCannotBeSavedStopsTheRun) {
  TinyRun run;
  run.options.save_interval = 0;
  run.state_path = "/nowhere/at/all/state.h5";
  EXPECT_THAT(run.Message(), StartsWith("/nowhere/at/all/state.h5"));
}

}  // namespace
}  // namespace sparsify

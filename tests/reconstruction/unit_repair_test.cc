#include "reconstruction/unit_repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/reconstruction/unit_repair_support.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using testing::MessageOf;

TEST_F(Repairing, ABlockGetsNearerToTheTeacherUnderItsMasks) {
  for (const UnitPattern pattern : {UnitPattern::kLayer, UnitPattern::kBlock,
                                    UnitPattern::kIndependent, UnitPattern::kNetwork}) {
    options_.pattern = pattern;
    const RepairResult result = RunAgain();
    for (const RepairedUnit& unit : result.units) {
      EXPECT_EQ(unit.unrepaired, "");
      EXPECT_GT(unit.loss_before, 0.05) << unit.name;
      EXPECT_LT(unit.loss_after, 0.8 * unit.loss_before) << unit.name;
      EXPECT_EQ(unit.steps, 60);
      EXPECT_EQ(unit.samples, 48);
    }
    for (const auto& [name, mask] : masks_) {
      const Tensor& weight = student_.value(student_.FindValue(name)).data;
      for (int64_t i = 0; i < mask.size(); ++i) {
        if (mask[i]) continue;
        ASSERT_TRUE(weight[i] == 0 && !std::signbit(weight[i])) << name << i;
      }
    }
    for (const char* part : {"forward", "steps", "correction"}) {
      EXPECT_GE(result.seconds.at(part), 0);
    }
  }
}

TEST_F(Repairing, BatchNormAndBiasesStayUnlessBiasesAreWanted) {
  Run();
  const auto stays = [&](const std::string& name) {
    const ValueId id = teacher_.FindValue(name);
    return std::equal(teacher_.value(id).data.values().begin(),
                      teacher_.value(id).data.values().end(),
                      student_.value(id).data.values().begin());
  };
  EXPECT_TRUE(stays("fc.bias"));
  EXPECT_FALSE(stays("fc.weight"));
  options_.bias_lr = 1e-3;
  RunAgain();
  EXPECT_FALSE(stays("fc.bias"));
  for (const char* name : {"weight", "bias", "running_mean", "running_var"}) {
    EXPECT_TRUE(stays(std::string("block.bn1.") + name));
  }
}

TEST_F(Repairing, SameSeedSameResultOtherSeedOther) {
  Run();
  const Graph first = student_;
  RunAgain();
  ExpectEqualParameters(student_, first);
  student_ = teacher_;
  masks_ = MagnitudeMasks(teacher_, 0.6);
  RepairTask task = Task();
  task.seed = 1;
  RepairUnits(task, options_);
  const ValueId weight = student_.FindValue("stem.weight");
  EXPECT_THAT(student_.value(weight).data.values(),
              ::testing::Not(ElementsAreArray(first.value(weight).data.values())));
}

TEST_F(Repairing, ScratchFilesGiveTheSameResultAndAreSaid) {
  Run();
  const Graph in_memory = student_;
  options_.memory_limit_mb = 2;
  RunAgain();
  ExpectEqualParameters(student_, in_memory);
  EXPECT_TRUE(log_.Contains("of kept activations go to a scratch file in "));
  EXPECT_TRUE(log_.Contains(": memory_limit is 2 MB"));
  EXPECT_FALSE(log_.Contains("warning"));
  options_.memory_limit_mb = 3000;
  options_.keep_in_memory = false;
  RunAgain();
  ExpectEqualParameters(student_, in_memory);
  options_.scratch_directory = "/does/not/exist";
  EXPECT_THAT(Message(), HasSubstr("/does/not/exist: cannot create a scratch file"));
}

TEST_F(Repairing, AStepBeyondTheMemoryLimitIsSaid) {
  options_.pattern = UnitPattern::kNetwork;
  options_.max_count = 1;
  options_.memory_limit_mb = 1;
  Run();
  // 3 · 16·16² and 9 · 32·8² numbers, 2 · 32 pooled ones and 10 logits, all with gradients, and
  // the images and the targets.
  EXPECT_TRUE(log_.Contains(
      "warning: stem … fc: a step of 8 images takes up to 2.00 MB, memory_limit is 1 MB"));
}

// Every state that on_finished can save leads to the same end.
TEST_F(Repairing, ResumingGivesTheSameWeights) {
  for (const bool dense : {false, true}) {
    options_.use_dense_inps = dense;
    options_.pattern = UnitPattern::kLayer;
    options_.bias_correction = true;
    options_.held_back = 0.2;
    std::map<int64_t, std::pair<Graph, Masks>> states;
    student_ = teacher_;
    masks_ = MagnitudeMasks(teacher_, 0.6);
    masks_.erase("block.conv1.weight");  // a unit that is skipped
    RepairTask task = Task();
    task.on_finished = [&](int64_t finished, std::span<const RepairedUnit> units) {
      EXPECT_FALSE(units.empty());
      states[finished] = {student_, masks_};
    };
    RepairUnits(task, options_);
    const Graph whole = student_;
    ASSERT_EQ(states.size(), 4U);
    EXPECT_EQ(states.rbegin()->first, 5);
    for (const auto& [finished, state] : states) {
      student_ = state.first;
      masks_ = state.second;
      RepairTask rest = Task();
      rest.finished = finished;
      RepairUnits(rest, options_);
      ExpectEqualParameters(student_, whole);
    }
  }
}

TEST_F(Repairing, MoreFinishedUnitsThanThereAreIsAnError) {
  RepairTask task = Task();
  for (const int64_t finished : {-1, 99}) {
    task.finished = finished;
    EXPECT_THAT(testing::MessageOf([&] { RepairUnits(task, options_); }),
                ::testing::HasSubstr(fmt::format("{} units are said to be finished", finished)));
  }
}

TEST_F(Repairing, UnitsWithoutPrunedWeightsStayWithAReason) {
  masks_.erase("stem.weight");
  masks_.at("fc.weight") = Mask(Shape{10, 32});  // prunes nothing
  const RepairResult result = Run();
  ASSERT_EQ(result.units.size(), 3U);
  EXPECT_EQ(result.units[0].unrepaired, "nothing is pruned in it");
  EXPECT_EQ(result.units[1].unrepaired, "");
  EXPECT_EQ(result.units[2].unrepaired, "nothing is pruned in it");
  for (const char* name : {"stem.weight", "fc.weight"}) {
    EXPECT_THAT(student_.value(student_.FindValue(name)).data.values(),
                ElementsAreArray(teacher_.value(teacher_.FindValue(name)).data.values()));
  }
}

TEST_F(Repairing, ALayerWithoutAnyWeightLeftIsSaid) {
  masks_.at("stem.weight") = Mask(Shape{16, 3, 3, 3}, /*keep=*/false);
  masks_.at("block.conv2.weight") = Mask(Shape{32, 32, 3, 3}, /*keep=*/false);
  const RepairResult result = Run();
  EXPECT_EQ(result.units[0].unrepaired, "stem has no weight left");
  EXPECT_TRUE(log_.Contains("warning: stem: not repaired: stem has no weight left"));
  EXPECT_EQ(result.units[1].unrepaired, "");
  EXPECT_EQ(result.units[1].remark, "block.conv2 has no weight left");
}

TEST_F(Repairing, DenseInputsDecoupleTheUnits) {
  options_.pattern = UnitPattern::kLayer;
  options_.use_dense_inps = true;
  Run();
  const Tensor last = student_.value(student_.FindValue("fc.weight")).data;
  student_ = teacher_;
  masks_ = MagnitudeMasks(teacher_, 0.6);
  masks_.erase("stem.weight");
  masks_.erase("block.conv2.weight");
  Run();
  EXPECT_THAT(student_.value(student_.FindValue("fc.weight")).data.values(),
              ElementsAreArray(last.values()));
  options_.use_dense_inps = false;
  RunAgain();
  EXPECT_THAT(student_.value(student_.FindValue("fc.weight")).data.values(),
              ::testing::Not(ElementsAreArray(last.values())));
}

TEST_F(Repairing, MasksThatAreNotStaticFollowTheLatentWeights) {
  options_.mask_is_static = false;
  options_.weight_lr = 0.02;
  int calls = 0;
  options_.remake_mask = [&](const std::string& name, const Tensor& weight) {
    EXPECT_TRUE(masks_.contains(name));
    ++calls;
    return MagnitudeMask(weight, 0.6);
  };
  const Masks before = masks_;
  const RepairResult result = Run();
  EXPECT_EQ(calls, 5 * (1 + 60));
  int changed = 0;
  for (const auto& [name, mask] : masks_) {
    changed += mask == before.at(name) ? 0 : 1;
    EXPECT_EQ(mask.CountPruned(), before.at(name).CountPruned()) << name;
    const Tensor& weight = student_.value(student_.FindValue(name)).data;
    EXPECT_EQ(CountZeros(weight), mask.CountPruned()) << name;
  }
  EXPECT_GT(changed, 2);
  for (const RepairedUnit& unit : result.units) EXPECT_LE(unit.loss_after, unit.loss_before);
  options_.remake_mask = [](const std::string&, const Tensor&) { return Mask(Shape{2}); };
  EXPECT_EQ(Message(), "stem.weight: the mask made anew has shape [2], the weight [16,3,3,3]");
  options_.remake_mask = nullptr;
  EXPECT_EQ(Message(), "reconstruction: masks that are not static need a mask generator");
}

TEST_F(Repairing, CorrectionsAloneLowerTheLoss) {
  options_.pattern = UnitPattern::kLayer;
  options_.early_stop = 1e9;  // no step
  for (const bool bias : {false, true}) {
    options_.bias_correction = bias;
    options_.weight_correction = !bias;
    bool lowered = false;
    for (const RepairedUnit& unit : RunAgain().units) {
      EXPECT_LE(unit.loss_after, unit.loss_before) << unit.name;
      lowered = lowered || unit.loss_after < 0.97 * unit.loss_before;
      EXPECT_EQ(unit.steps, 0);
    }
    EXPECT_TRUE(lowered) << bias;
  }
}

TEST_F(Repairing, FewImagesMakeOneShortBatch) {
  images_ = RandomImages(3, {3, 16, 16});
  const RepairResult result = Run();
  EXPECT_EQ(result.units[0].samples, 3);
  EXPECT_TRUE(log_.Contains("they make one short batch"));
  EXPECT_TRUE(log_.Contains(
      "repair: adam on 3 units (pattern: block), at most 60 steps each, 3 images in 1 batch"));
}

TEST_F(Repairing, MistakesAreNamed) {
  options_.weight_lr = 1e30;
  EXPECT_EQ(Message(), "stem: the loss is not a number at step 3; lower weight_lr (1e+30)");
  options_.bias_lr = 2;
  EXPECT_THAT(Message(), HasSubstr("lower weight_lr (1e+30) or bias_lr (2)"));
  options_.weight_lr = 1e-3;
  images_ = RandomImages(4, {3, 8, 8});
  EXPECT_EQ(Message(),
            "calibration: images have shape [3,8,8], the network takes [3,16,16]; set "
            "data.transform to match");
  images_ = RandomImages(0, {3, 16, 16});
  EXPECT_EQ(Message(), "calibration: no image; repair needs some");
  images_ = RandomImages(8, {3, 16, 16});
  masks_ = {{"nowhere", Mask(Shape{2})}};
  EXPECT_EQ(
      MessageOf([&] { Run(); }),
      "small_residual: there is a mask for \"nowhere\", which is no parameter of the network");
  masks_ = {{"fc.weight", Mask(Shape{2, 2})}};
  EXPECT_EQ(MessageOf([&] { Run(); }),
            "small_residual: the mask of \"fc.weight\" has shape [2,2], the weight [10,32]");
  student_ = testing::SmallMobileNet();
  masks_.clear();
  EXPECT_THAT(MessageOf([&] { Run(); }),
              ::testing::MatchesRegex("small_mobile: .+ the dense network .+"));
}

class RepairingMobile : public Repairing {
 protected:
  RepairingMobile() : Repairing(testing::SmallMobileNet()) {}
};

TEST_F(RepairingMobile, DepthwiseAndGatesAreRepaired) {
  for (const UnitPattern pattern : {UnitPattern::kLayer, UnitPattern::kBlock}) {
    options_.pattern = pattern;
    const RepairResult result = RunAgain();
    for (const RepairedUnit& unit : result.units) {
      EXPECT_EQ(unit.unrepaired, "") << unit.name;
      EXPECT_LE(unit.loss_after, unit.loss_before) << unit.name;
    }
    EXPECT_LT(result.units.back().loss_after, 0.9 * result.units.back().loss_before);
  }
}

TEST(RepairWithObstacles, LeavesUnitsWithAReason) {
  SetThreads(1);
  testing::GraphBuilder b("softmax");
  const ValueId x = b.Relu("relu", b.Linear("first", b.Input({6}), 6, 4));
  Random random(1);
  const ValueId w = b.Parameter("shared", testing::RandomTensor(random, {4, 4}));
  const ValueId one = b.Op(OpType::kGemm, "one", {x, w}, {{"transB", int64_t{1}}});
  const ValueId two = b.Op(OpType::kGemm, "two", {one, w}, {{"transB", int64_t{1}}});
  const Graph teacher = b.Finish({b.Op(OpType::kSoftmax, "probabilities", {two})});
  Graph student = teacher;
  const auto layers = LayersOf(teacher);
  Masks masks = MagnitudeMasks(teacher, 0.5);
  const RandomImages images(8, {6});
  UnitRepairOptions options;
  options.max_count = 3;
  options.pattern = UnitPattern::kNetwork;
  const LogCapture log;
  auto units = RepairUnits({student, teacher, masks, layers, images}, options).units;
  ASSERT_EQ(units.size(), 1U);
  EXPECT_EQ(units[0].unrepaired, "Softmax \"probabilities\" has no gradient");
  EXPECT_TRUE(log.Contains("warning: first … shared: not repaired: Softmax \"probabilities\" has"));
  options.pattern = UnitPattern::kLayer;
  units = RepairUnits({student, teacher, masks, layers, images}, options).units;
  ASSERT_EQ(units.size(), 2U);
  EXPECT_EQ(units[0].unrepaired, "");
  EXPECT_EQ(units[1].unrepaired, "shared stays: other units read its weight");
}

TEST(RepairWithAFixedBatch, UsesTheNetworksOwn) {
  SetThreads(1);
  Graph teacher = testing::SmallResidualNet();
  teacher.inputs[0].shape.set_dim(0, 4);
  Graph student = teacher;
  const auto layers = FindLayers(teacher, InferShapes(teacher, 4));
  Masks masks = MagnitudeMasks(testing::SmallResidualNet(), 0.6);
  const RandomImages images(15, {3, 16, 16});
  UnitRepairOptions options;
  options.max_count = 5;
  options.weight_lr = 1e-3;
  options.mix_batches = true;
  const LogCapture log;
  const auto result = RepairUnits({student, teacher, masks, layers, images}, options);
  EXPECT_EQ(result.units[0].samples, 12);
  EXPECT_LT(result.units[0].loss_after, result.units[0].loss_before);
}

}  // namespace
}  // namespace sparsify

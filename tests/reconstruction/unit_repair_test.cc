#include "reconstruction/unit_repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/normal_mask_generator.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using testing::MessageOf;

using Masks = std::map<std::string, Mask>;

std::vector<Layer> LayersOf(const Graph& graph) { return FindLayers(graph, InferShapes(graph, 1)); }

Mask MagnitudeMask(const Tensor& weight, double sparsity) {
  return NormalMaskGenerator({}).Generate(weight, sparsity, {});
}

Masks MagnitudeMasks(const Graph& graph, double sparsity) {
  Masks masks;
  for (const Layer& layer : LayersOf(graph)) {
    const Value& value = graph.value(layer.weight);
    masks.emplace(value.name, MagnitudeMask(value.data, sparsity));
  }
  return masks;
}

void ExpectEqualParameters(const Graph& a, const Graph& b) {
  for (size_t i = 0; i < a.values().size(); ++i) {
    if (!a.values()[i].is_parameter) continue;
    EXPECT_THAT(a.values()[i].data.values(), ElementsAreArray(b.values()[i].data.values()))
        << a.values()[i].name;
  }
}

class Repairing : public ::testing::Test {
 protected:
  explicit Repairing(Graph teacher = testing::SmallResidualNet()) : teacher_(std::move(teacher)) {
    SetThreads(1);  // small networks gain nothing from more
    options_.pattern = UnitPattern::kBlock;
    options_.max_count = 60;
    options_.weight_lr = 3e-3;
    options_.batch = 8;
    options_.batches = 6;
    options_.early_stop = 0;
  }

  RepairTask Task() { return {student_, teacher_, masks_, layers_, images_}; }
  RepairResult Run() { return RepairUnits(Task(), options_); }
  RepairResult RunAgain() {
    student_ = teacher_;
    masks_ = MagnitudeMasks(teacher_, 0.6);
    return Run();
  }
  std::string Message() {
    return MessageOf([&] { RunAgain(); });
  }

  const Graph teacher_;
  const std::vector<Layer> layers_ = LayersOf(teacher_);
  Graph student_ = teacher_;
  Masks masks_ = MagnitudeMasks(teacher_, 0.6);
  RandomImages images_{48, {3, 16, 16}};
  UnitRepairOptions options_;
  const LogCapture log_;
};

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
      "warning: stem … fc: a step of 8 images takes up to 2.00 MB, memory_limit is 1 MB; use "
      "smaller batches"));
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
    task.on_finished = [&](int64_t finished) { states[finished] = {student_, masks_}; };
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

TEST_F(Repairing, MixedBatchesAndRowScalesWorkToo) {
  options_.mix_batches = true;
  options_.lr_scale = LrScale::kRowRms;
  options_.lr_schedule = LrSchedule::kCosine;
  options_.weight_lr = 0.02;
  for (const RepairedUnit& unit : Run().units) {
    EXPECT_LT(unit.loss_after, 0.8 * unit.loss_before) << unit.name;
  }
}

// Folding batch norm scales channels; with relative steps that changes nothing else.
TEST_F(Repairing, RowScalesMakeStepsRelative) {
  options_.pattern = UnitPattern::kLayer;
  options_.max_count = 1;
  options_.lr_scale = LrScale::kRowRms;
  options_.weight_lr = 0.01;
  Run();
  // Adam's first step is its full size wherever there is a gradient.
  const std::string name = "block.conv1.weight";
  const ValueId id = student_.FindValue(name);
  const Tensor& before = teacher_.value(id).data;
  const Tensor& after = student_.value(id).data;
  const Mask& mask = masks_.at(name);
  const int64_t length = before.size() / 32;
  int moved = 0;
  for (int64_t r = 0; r < 32; ++r) {
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = r * length; i < (r + 1) * length; ++i) {
      if (mask[i]) sum += before[i] * before[i], ++count;
    }
    const double step = 0.01 * std::sqrt(sum / static_cast<double>(count));
    for (int64_t i = r * length; i < (r + 1) * length; ++i) {
      if (!mask[i] || after[i] == before[i]) continue;
      EXPECT_NEAR(std::abs(after[i] - before[i]), step, 0.01 * step);
      ++moved;
    }
  }
  EXPECT_GT(moved, 500);
}

TEST_F(Repairing, EarlyStopIsSaid) {
  options_.early_stop = 1e9;
  const RepairResult result = Run();
  for (const RepairedUnit& unit : result.units) {
    EXPECT_EQ(unit.steps, 0);
    EXPECT_THAT(unit.remark, HasSubstr("stopped early at step 0: loss "));
    EXPECT_THAT(unit.remark, HasSubstr(" is below early_stop 1e+09"));
    EXPECT_EQ(unit.loss_after, unit.loss_before);
  }
  EXPECT_TRUE(log_.Contains("stem: stopped early at step 0: loss "));
}

TEST_F(Repairing, ImagesHeldBackEndAUnitAndKeepItsBestWeights) {
  options_.held_back = 0.25;
  options_.weight_lr = 0.2;  // too large: gains end soon
  options_.patience = 20;
  options_.max_count = 400;
  const RepairResult result = Run();
  bool stopped = false;
  for (const RepairedUnit& unit : result.units) {
    EXPECT_LE(unit.loss_after, unit.loss_before);
    EXPECT_EQ(unit.samples, 48);
    if (unit.steps == 400) continue;
    stopped = true;
    EXPECT_THAT(unit.remark, ::testing::ContainsRegex(
                                 "stopped early at step [0-9]+: 2[0-9] steps without gain on the "
                                 "12 images held back; the weights of step [0-9]+ are kept"));
  }
  EXPECT_TRUE(stopped);
  EXPECT_TRUE(log_.Contains("36 images in 5 batches, 12 more held back to decide when to stop"));
}

TEST_F(Repairing, AUnitNeverEndsWorseThanItBegan) {
  options_.weight_lr = 50;
  options_.max_count = 3;
  const RepairResult result = Run();
  for (const RepairedUnit& unit : result.units) {
    EXPECT_EQ(unit.loss_after, unit.loss_before);
    EXPECT_EQ(unit.remark, "no gain in the last 3 steps; the weights of step 0 are kept");
  }
  Graph masked = teacher_;
  for (const auto& [name, mask] : masks_) {
    ApplyMask(mask, masked.mutable_value(masked.FindValue(name)).data);
  }
  ExpectEqualParameters(student_, masked);
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
  EXPECT_EQ(MessageOf([&] { Run(); }),
            "small_mobile: its nodes are not those of the dense network");
}

TEST_F(Repairing, ActivationsThatAreNotFiniteAreSaid) {
  class Broken : public RandomImages {
   public:
    using RandomImages::RandomImages;
    int64_t Load(int64_t i, float* image) const override {
      RandomImages::Load(i, image);
      if (i == 3) image[0] = std::nanf("");
      return -1;
    }
  };
  const Broken images(48, {3, 16, 16});
  const RepairTask task = {student_, teacher_, masks_, layers_, images};
  EXPECT_EQ(
      MessageOf([&] { RepairUnits(task, options_); }),
      "stem: the loss is not a number before the first step; its inputs, its weights or the dense "
      "network's outputs are not finite: check the network and the calibration images");
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

// A × x = b by Gauss elimination; A is symmetric and positive definite.
std::vector<double> Solve(std::vector<std::vector<double>> a, std::vector<double> b) {
  const size_t n = b.size();
  for (size_t k = 0; k < n; ++k) {
    for (size_t i = k + 1; i < n; ++i) {
      const double factor = a[i][k] / a[k][k];
      for (size_t j = k; j < n; ++j) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  }
  for (size_t k = n; k-- > 0;) {
    for (size_t j = k + 1; j < n; ++j) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
  return b;
}

// A convolution alone is linear in its weights: the steps must end at the least-squares
// solution on the mask's support, whatever Adam is like on the way.
TEST(RepairOfOneConvolution, EndsAtTheLeastSquaresSolution) {
  SetThreads(1);
  const Shape image = {2, 6, 6};
  testing::GraphBuilder b("one");
  const Graph teacher = b.Finish({b.Conv("conv", b.Input(image), 2, 3, 3)});
  Graph student = teacher;
  const auto layers = LayersOf(teacher);
  const ValueId weight = teacher.FindValue("conv.weight");
  const Tensor& dense = teacher.value(weight).data;
  Masks masks = {{"conv.weight", MagnitudeMask(dense, 0.5)}};
  const RandomImages images(16, image);
  UnitRepairOptions options;
  options.batch = 16;  // a single batch: the steps see the whole problem
  options.max_count = 2000;
  options.weight_lr = 0.02;
  options.lr_schedule = LrSchedule::kCosine;
  options.early_stop = 0;
  const LogCapture log;
  RepairUnits({student, teacher, masks, layers, images}, options);
  Batch batch;
  LoadBatch(images, 0, 16, batch);
  const auto pixel = [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const bool inside = y >= 0 && y < 6 && x >= 0 && x < 6;
    return inside ? double{batch.images[((n * 2 + c) * 6 + y) * 6 + x]} : 0.0;
  };
  for (int64_t row = 0; row < 3; ++row) {
    std::vector<int64_t> support;
    for (int64_t i = 0; i < 18; ++i) {
      if (masks.at("conv.weight")[row * 18 + i]) support.push_back(i);
    }
    const size_t n = support.size();
    std::vector<std::vector<double>> normal(n, std::vector<double>(n));
    std::vector<double> right(n);
    for (int64_t at = 0; at < 16 * 36; ++at) {
      std::vector<double> column;
      double target = 0;
      for (int64_t i = 0; i < 18; ++i) {
        column.push_back(pixel(at / 36, i / 9, at / 6 % 6 + i / 3 % 3 - 1, at % 6 + i % 3 - 1));
        target += column.back() * dense[row * 18 + i];
      }
      for (size_t i = 0; i < n; ++i) {
        const double x = column[static_cast<size_t>(support[i])];
        right[i] += x * target;
        for (size_t j = 0; j < n; ++j) {
          normal[i][j] += x * column[static_cast<size_t>(support[j])];
        }
      }
    }
    const auto expected = Solve(normal, right);
    for (size_t i = 0; i < n; ++i) {
      // The rounding of a loss's gradient, a sum over 576 positions, moves the end by about
      // √576 · 2^−24 of the largest weights; the last steps of the schedule by as little.
      EXPECT_NEAR(student.value(weight).data[row * 18 + support[i]], expected[i], 2e-5) << i;
    }
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

#include "reconstruction/distill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numbers>

#include "reconstruction/relative_adam.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/graph/fold_batch_norm.h"
#include "sparsity/graph/hash_graph.h"
#include "sparsity/ops/interpreter.h"
#include "tests/reconstruction/distillation_support.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/compare.h"

namespace sparsify {
namespace {

using testing::BottleneckNet;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kBottleneckImage;
using testing::LayersOf;
using testing::Masked;
using testing::MessageOf;
using testing::SmallestPruned;

// A pruned network, the dense one, and what a repair is given.
struct Case {
  explicit Case(Graph dense, const Shape& image = kBottleneckImage, int64_t images = 60)
      : teacher(std::move(dense)),
        masks(SmallestPruned(teacher, 0.4)),
        student(Masked(teacher, masks)),
        layers(LayersOf(student)),
        calibration(images, image) {}

  RepairResult Run(const DistillOptions& options, const std::string& title = "") {
    return Distill({student, teacher, masks, layers, calibration, seed, title}, options);
  }

  Graph teacher;
  std::map<std::string, Mask> masks;
  Graph student;
  std::vector<Layer> layers;
  RandomImages calibration;
  uint64_t seed = 3;
};

DistillOptions Short(int64_t steps = 60) {
  DistillOptions options;
  options.max_count = steps;
  options.batch = 16;
  options.weight_lr = 0.02;
  options.warm_up = 5;
  return options;
}

// Mean squared difference of the logits on images that are not for calibration.
double LogitsError(const Graph& a, const Graph& b, const Shape& image) {
  const RandomImages images(200, image);
  std::vector<int64_t> indices;
  for (int64_t i = 100; i < 200; ++i) indices.push_back(i);
  Batch batch;
  LoadBatch(images, indices, batch);
  const Tensor x = std::move(Interpreter(a).Run({&batch.images})[0]);
  const Tensor y = std::move(Interpreter(b).Run({&batch.images})[0]);
  double sum = 0;
  for (int64_t i = 0; i < x.size(); ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sum / static_cast<double>(x.size());
}

void ExpectEqualParameters(const Graph& a, const Graph& b) {
  for (size_t i = 0; i < a.values().size(); ++i) {
    if (!a.values()[i].is_parameter) continue;
    EXPECT_TRUE(testing::Same(a.values()[i].data, b.values()[i].data)) << a.values()[i].name;
  }
}

TEST(DistillStepSize, RisesThenFallsAsACosine) {
  const DistillOptions options = {.max_count = 100, .weight_lr = 0.5, .warm_up = 4};
  const auto cosine = [](double t) { return 0.25 * (1 + std::cos(std::numbers::pi * t / 100)); };
  EXPECT_NEAR(DistillStepSize(options, 0), 0.5 / 4, 1e-12);
  EXPECT_NEAR(DistillStepSize(options, 1), cosine(1) / 2, 1e-12);
  EXPECT_NEAR(DistillStepSize(options, 3), cosine(3), 1e-12);
  EXPECT_NEAR(DistillStepSize(options, 50), 0.25, 1e-12);
  EXPECT_NEAR(DistillStepSize(options, 99), cosine(99), 1e-12);
  EXPECT_EQ(DistillStepSize({.weight_lr = 0.5, .warm_up = 0}, 0), 0.5);
}

TEST(Distill, BringsThePrunedNetworkNearerToTheDenseOne) {
  for (Graph dense : {BottleneckNet(2), FoldBatchNorms(testing::SmallMobileNet()),
                      testing::SmallResidualNet()}) {  // the last with batch norm
    const std::vector<int64_t> dims = dense.inputs[0].shape.dims();
    const Shape image(std::vector<int64_t>(dims.begin() + 1, dims.end()));
    Case c(std::move(dense), image);
    const double before = LogitsError(c.student, c.teacher, image);
    DistillOptions options = Short(30);
    options.batch = 8;
    const RepairResult result = c.Run(options);
    ASSERT_EQ(result.units.size(), 1U);
    const RepairedUnit& unit = result.units[0];
    EXPECT_EQ(unit.name, "polish");
    EXPECT_EQ(unit.remark, "");
    EXPECT_EQ(unit.unrepaired, "");
    EXPECT_EQ(unit.steps, 30);
    EXPECT_EQ(unit.samples, 54);
    EXPECT_GT(unit.seconds, 0);
    EXPECT_LT(unit.loss_after, 0.7 * unit.loss_before) << c.teacher.name;
    EXPECT_LT(LogitsError(c.student, c.teacher, image), 0.7 * before) << c.teacher.name;
  }
}

TEST(Distill, MasksHoldAndTheRestMoves) {
  Case c(BottleneckNet());
  const Graph start = c.student;
  const auto masks = c.masks;
  c.Run(Short(10));
  int64_t kept = 0;
  int64_t moved = 0;
  EXPECT_EQ(c.masks, masks);
  for (const Layer& layer : c.layers) {
    const Tensor& weight = c.student.value(layer.weight).data;
    const auto mask = masks.find(c.student.value(layer.weight).name);
    for (int64_t i = 0; i < weight.size(); ++i) {
      if (mask != masks.end() && !mask->second[i]) {
        EXPECT_EQ(weight[i], 0);
        EXPECT_FALSE(std::signbit(weight[i]));
      } else {
        ++kept;
        moved += weight[i] != start.value(layer.weight).data[i] ? 1 : 0;
      }
    }
    EXPECT_FALSE(testing::Same(c.student.value(layer.bias).data, start.value(layer.bias).data));
  }
  EXPECT_GT(moved, 0.75 * static_cast<double>(kept));  // the rest belongs to dead channels
}

TEST(Distill, BatchNormStays) {
  Case c(testing::SmallResidualNet(), {3, 16, 16}, 20);
  const Graph start = c.student;
  c.Run(Short(5));
  for (const char* name : {"stem.bn.weight", "stem.bn.bias", "stem.bn.running_mean"}) {
    const ValueId id = start.FindValue(name);
    EXPECT_TRUE(testing::Same(c.student.value(id).data, start.value(id).data)) << name;
  }
}

// a's channel scaled by f and d's, which alone reads it, by 1/f: the same function. f is a power
// of two, so that nothing is rounded differently.
void Rescale(Graph& graph, int64_t channel, float f) {
  Tensor& a = graph.mutable_value(graph.FindValue("a.weight")).data;
  Tensor& d = graph.mutable_value(graph.FindValue("d.weight")).data;
  for (int64_t i = 0; i < 2; ++i) a[channel * 2 + i] *= f;
  for (int64_t i = 0; i < 9; ++i) d[channel * 9 + i] /= f;
  graph.mutable_value(graph.FindValue("a.bias")).data[channel] *= f;
}

TEST(Distill, TheScaleOfAChannelPlaysNoPart) {
  Case plain(BottleneckNet(4));
  Case scaled(BottleneckNet(4));
  const auto rescale = [&](Graph& graph, bool back) {
    for (const auto& [channel, f] : {std::pair(0, 1024.0F), {2, 1.0F / 256}, {3, 4.0F}}) {
      Rescale(graph, channel, back ? 1 / f : f);
    }
  };
  for (Graph* graph : {&scaled.student, &scaled.teacher}) rescale(*graph, false);
  const RepairResult a = plain.Run(Short(20));
  const RepairResult b = scaled.Run(Short(20));
  EXPECT_NEAR(a.units[0].loss_after, b.units[0].loss_after, 1e-5 * a.units[0].loss_after);
  EXPECT_EQ(b.units[0].remark, "");
  rescale(scaled.student, true);
  for (const char* name : {"a.weight", "a.bias", "d.weight", "d.bias", "fc.weight"}) {
    const ValueId id = plain.student.FindValue(name);
    EXPECT_LT(testing::RelativeError(scaled.student.value(id).data, plain.student.value(id).data),
              1e-4)
        << name;
  }
}

TEST(Distill, IsTheSameAgainWithTheSameSeed) {
  Case first(BottleneckNet());
  Case second(BottleneckNet());
  Case third(BottleneckNet());
  third.seed = 4;
  first.Run(Short(8));
  second.Run(Short(8));
  third.Run(Short(8));
  ExpectEqualParameters(first.student, second.student);
  const ValueId id = first.student.FindValue("p.weight");
  EXPECT_FALSE(testing::Same(first.student.value(id).data, third.student.value(id).data));
}

struct Stop {};

// The state after `steps` steps of a polish that ends there.
TrainingState Interrupted(int64_t steps) {
  Case c(BottleneckNet());
  TrainingState state;
  PolishResume resume;
  resume.offer = [&](const std::function<TrainingState()>& now, bool last) {
    EXPECT_FALSE(last);
    state = now();
    if (state.step == steps) throw Stop();
  };
  EXPECT_THROW(Distill({c.student, c.teacher, c.masks, c.layers, c.calibration, c.seed, "p"},
                       Short(8), resume),
               Stop);
  EXPECT_EQ(state.step, steps);
  return state;
}

TEST(Distill, GoesOnWhereItWasInterrupted) {
  Case whole(BottleneckNet());
  const RepairResult expected = whole.Run(Short(8));
  for (const int64_t steps : {1, 5, 8}) {
    Case c(BottleneckNet());
    const LogCapture log;
    const RepairResult result =
        Distill({c.student, c.teacher, c.masks, c.layers, c.calibration, c.seed, "p"}, Short(8),
                {Interrupted(steps), {}});
    EXPECT_TRUE(
        log.Contains(fmt::format("p: polish: goes on behind step {} of an earlier run", steps)));
    ExpectEqualParameters(c.student, whole.student);
    EXPECT_EQ(result.units[0].steps, 8);
    EXPECT_EQ(result.units[0].loss_before, expected.units[0].loss_before);
    EXPECT_EQ(result.units[0].loss_after, expected.units[0].loss_after);
  }
}

TEST(Distill, AStateOfAnotherPolishIsLeftAlone) {
  Case whole(BottleneckNet());
  whole.Run(Short(8));
  TrainingState other = Interrupted(5);
  other.parameters.erase(other.parameters.begin());
  TrainingState longer = Interrupted(5);
  longer.step = 9;
  TrainingState elsewhere = Interrupted(5);  // of another repair
  elsewhere.origin = HashGraph(whole.student);
  for (const TrainingState& state : {other, longer, elsewhere}) {
    Case c(BottleneckNet());
    const LogCapture log;
    Distill({c.student, c.teacher, c.masks, c.layers, c.calibration, c.seed, "p"}, Short(8),
            {state, {}});
    EXPECT_TRUE(log.Contains("p: polish: the state of an earlier run is of another polish: "));
    ExpectEqualParameters(c.student, whole.student);
  }
}

// Of its three layers conv1 has enough multiply-adds for bf16.
Graph WideNet() {
  testing::GraphBuilder b("wide");
  const ValueId x = b.Relu("relu0", b.Conv("conv0", b.Input({3, 12, 12}), 3, 32, 1, 1, 1, true));
  const ValueId y = b.Relu("relu1", b.Conv("conv1", x, 32, 64, 3, 1, 1, true));
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {y});
  return b.Finish({b.Linear("fc", b.Op(OpType::kFlatten, "flat", {pooled}), 64, 10)});
}

TEST(Distill, CountsItsTimeOverInterruptions) {
  TrainingState state = Interrupted(5);
  EXPECT_GT(state.since_row.seconds, 0);
  state.since_row.seconds = 1000;
  Case c(BottleneckNet());
  const RepairResult result = Distill(
      {c.student, c.teacher, c.masks, c.layers, c.calibration, c.seed, ""}, Short(8), {state, {}});
  EXPECT_GT(result.units[0].seconds, 1000);
}

TEST(Distill, LearnsInBf16) {
  if (!Bf16Obstacle().empty()) GTEST_SKIP() << Bf16Obstacle();
  Case f32(WideNet(), {3, 12, 12});
  Case bf16(WideNet(), {3, 12, 12});
  DistillOptions options = Short(30);
  const RepairedUnit expected = f32.Run(options).units[0];
  options.precision = "bf16";
  const LogCapture log;
  const RepairedUnit unit = bf16.Run(options, "p").units[0];
  EXPECT_TRUE(log.Contains("p: polish: 1 of 3 layers compute in bf16"));
  EXPECT_LT(expected.loss_after, 0.5 * expected.loss_before);
  // Roundings of 2^-9 of each factor; the losses are means over thousands of outputs.
  EXPECT_NE(unit.loss_before, expected.loss_before);
  EXPECT_NEAR(unit.loss_before, expected.loss_before, 0.05 * expected.loss_before);
  EXPECT_NEAR(unit.loss_after, expected.loss_after, 0.1 * expected.loss_before);
}

TEST(Distill, LearnsInBf16OneImageAtATime) {
  if (!Bf16Obstacle().empty()) GTEST_SKIP() << Bf16Obstacle();
  Graph dense = WideNet();
  dense.inputs[0].shape = {1, 3, 12, 12};
  Case c(std::move(dense), {3, 12, 12});
  DistillOptions options = Short(10);
  options.precision = "bf16";
  const RepairedUnit unit = c.Run(options, "p").units[0];
  EXPECT_EQ(unit.unrepaired, "");
  EXPECT_LT(unit.loss_after, unit.loss_before);
}

TEST(Distill, KeepsTheStartWhenTheImagesHeldBackGotWorse) {
  Case c(BottleneckNet());
  const Graph start = c.student;
  DistillOptions options = Short(10);
  options.weight_lr = 30;
  LogCapture log;
  const RepairedUnit unit = c.Run(options, "run 50 %").units[0];
  ExpectEqualParameters(c.student, start);
  EXPECT_EQ(unit.loss_after, unit.loss_before);
  EXPECT_THAT(
      unit.remark,
      HasSubstr("the weights stay as they were: the loss on the images held back would go"));
  EXPECT_TRUE(log.Contains("run 50 %: polish: " + unit.remark));
}

// The first step of Adam changes every weight by the step size, in units of its row's rms.
TEST(Distill, GoesBackWhereTheStepsWentTooFar) {
  Case c(BottleneckNet());
  const Graph start = c.student;
  DistillOptions options = Short(1);
  options.weight_lr = 0.1;
  options.warm_up = 0;
  LogCapture log;
  const RepairedUnit unit = c.Run(options, "run 50 %").units[0];
  EXPECT_LT(unit.loss_after, unit.loss_before);
  EXPECT_THAT(unit.remark, HasSubstr("25 % of the way to what was learned"));
  EXPECT_TRUE(log.Contains("run 50 %: polish: 25 % of the way"));
  const ValueId id = c.student.FindValue("a.weight");
  const Tensor& before = start.value(id).data;
  const Tensor& after = c.student.value(id).data;
  const std::vector<double> rms = RowRms(before, 4);
  const Mask& mask = c.masks.at("a.weight");
  int64_t moved = 0;
  for (int64_t i = 0; i < before.size(); ++i) {
    if (after[i] == before[i]) continue;  // pruned, or of a channel that ReLU stops
    ++moved;
    EXPECT_TRUE(mask[i]) << i;
    const double step = 0.25 * options.weight_lr * rms[static_cast<size_t>(i / 2)];
    EXPECT_NEAR(std::abs(after[i] - before[i]), step, 1e-3 * step) << i;
  }
  EXPECT_GE(moved, 3);
}

TEST(Distill, StopsWhenTheLossOverflows) {
  Case c(BottleneckNet());
  const Graph start = c.student;
  DistillOptions options = Short(10);
  options.weight_lr = 1e30;
  const RepairedUnit unit = c.Run(options).units[0];
  EXPECT_THAT(unit.remark, HasSubstr("stopped early: the loss is "));
  EXPECT_THAT(unit.remark, HasSubstr("lower weight_lr"));
  EXPECT_GE(unit.steps, 1);
  EXPECT_LT(unit.steps, 10);
  ExpectEqualParameters(c.student, start);
}

TEST(Distill, SaysWhatItDoes) {
  Case c(BottleneckNet());
  LogCapture log;
  const RepairResult result = c.Run(Short(10), "repair");
  EXPECT_TRUE(log.Contains(
      "repair: polish: 10 steps of 16 images from 54, random crops of 35 to 100 % of a picture, "
      "flipped, up to 50 % of another mixed in, 6 held back; "
      "all 5 layers together; 2 block outputs"));
  EXPECT_TRUE(log.Contains("repair: polish: loss on the images held back 0."));
  std::vector<std::string> phases;
  for (const auto& [phase, seconds] : result.seconds) {
    phases.push_back(phase);
    EXPECT_GT(seconds, 0) << phase;
  }
  EXPECT_THAT(phases, ElementsAre("backward", "load", "student forward", "teacher", "update"));
}

TEST(Distill, BrokenImagesAreLeftOut) {
  Case c(BottleneckNet());
  for (int64_t i = 0; i < 60; i += 2) c.calibration.broken.insert(i);
  c.calibration.broken.erase(0);
  const RepairedUnit unit = c.Run(Short(30)).units[0];
  EXPECT_LT(unit.loss_after, unit.loss_before);
  for (int64_t i = 0; i < 60; ++i) c.calibration.broken.insert(i);
  EXPECT_EQ(MessageOf([&] { c.Run(Short(30)); }),
            "calibration: 0 of the 6 images held back for the polish can be read, too few");
}

TEST(Distill, AFixedBatchSizeIsKept) {
  Case c(BottleneckNet());
  for (Graph* graph : {&c.student, &c.teacher}) {
    graph->inputs[0].shape.set_dim(0, 5);
    graph->outputs[0].shape.set_dim(0, 5);
  }
  LogCapture log;
  const RepairedUnit unit = c.Run(Short(20), "repair").units[0];
  EXPECT_LT(unit.loss_after, unit.loss_before);
  EXPECT_TRUE(log.Contains("batch 20 instead of 16: there are "));
}

TEST(Distill, AnOperatorWithoutGradientIsNamed) {
  testing::GraphBuilder b("lrn");
  const ValueId conv = b.Conv("conv", b.Input(kBottleneckImage), 2, 4, 3, 1, 1, true);
  const ValueId norm = b.Op(OpType::kLRN, "norm", {conv}, {{"size", int64_t{3}}});
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {norm});
  Case c(b.Finish({b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {pooled}), 4, 4)}));
  const Graph start = c.student;
  LogCapture log;
  const RepairedUnit unit = c.Run(Short(), "repair").units[0];
  EXPECT_EQ(unit.unrepaired, "norm (LRN) has no gradient");
  EXPECT_TRUE(log.Contains("repair: no polish: norm (LRN) has no gradient"));
  ExpectEqualParameters(c.student, start);
}

TEST(Distill, RefusesWhatCannotWork) {
  Case c(BottleneckNet());
  DistillOptions nothing = Short();
  nothing.logits_weight = nothing.block_weight = 0;
  EXPECT_EQ(MessageOf([&] { c.Run(nothing); }),
            "reconstruction.polish: logits_weight and block_weight are both 0, nothing is left to "
            "minimise; set one");
  c.student.mutable_value(c.student.FindValue("fc.bias")).data.Fill(std::nanf(""));
  EXPECT_EQ(MessageOf([&] { c.Run(Short()); }),
            "polish: the loss is nan before the first step; an activation of the network "
            "overflows");
}

}  // namespace
}  // namespace sparsify

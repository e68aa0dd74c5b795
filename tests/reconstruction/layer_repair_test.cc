#include "reconstruction/layer_repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/base/log.h"
#include "sparsity/ops/interpreter.h"
#include "tests/reconstruction/layer_repair_support.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

Tensor OutputOf(const Graph& graph, const Dataset& images) {
  Batch batch;
  LoadBatch(images, 0, images.size(), batch);
  return std::move(Interpreter(graph).Run({&batch.images})[0]);
}

// Mean squared difference of the networks' outputs, relative to the variance of b's.
double OutputError(const Graph& a, const Graph& b, const Dataset& images) {
  const Tensor x = OutputOf(a, images);
  const Tensor y = OutputOf(b, images);
  const int64_t classes = y.shape()[1];
  double error = 0;
  double variance = 0;
  for (int64_t c = 0; c < classes; ++c) {
    double mean = 0;
    for (int64_t i = c; i < y.size(); i += classes) mean += y[i];
    mean *= static_cast<double>(classes) / static_cast<double>(y.size());
    for (int64_t i = c; i < y.size(); i += classes) {
      error += (x[i] - y[i]) * (x[i] - y[i]);
      variance += (y[i] - mean) * (y[i] - mean);
    }
  }
  return error / variance;
}

class RepairOf : public ::testing::TestWithParam<const char*> {
 protected:
  RepairOf()
      : teacher_(FoldBatchNorms(std::string(GetParam()) == "residual" ? testing::SmallResidualNet()
                                                                      : testing::SmallMobileNet())),
        layers_(LayersOf(teacher_)) {}

  const Graph teacher_;
  const std::vector<Layer> layers_;
  const RandomImages images_{200, kImage};
  const LogCapture log_;
};

TEST_P(RepairOf, BringsTheOutputNearerToTheTeacherAndKeepsZeros) {
  const auto masks = MagnitudeMasks(teacher_, 0.5);
  Graph student = teacher_;
  const auto reports = Repaired(student, teacher_, masks, layers_, images_, Quiet());
  const double before = OutputError(Masked(teacher_, masks), teacher_, images_);
  const double after = OutputError(student, teacher_, images_);
  EXPECT_GT(before, 0.1);
  EXPECT_LT(after, 0.5 * before);
  for (const auto& [name, mask] : masks) {
    const Tensor& weight = student.value(student.FindValue(name)).data;
    for (int64_t i = 0; i < mask.size(); ++i) {
      if (!mask[i]) {
        ASSERT_EQ(weight[i], 0.0F) << name << i;
      }
    }
  }
  ASSERT_EQ(reports.size(), layers_.size());
  for (const RepairedUnit& report : reports) {
    EXPECT_EQ(report.unrepaired, "") << report.name;
    EXPECT_LT(report.loss_after, report.loss_before) << report.name;
    EXPECT_EQ(report.remark, "") << report.name;
    EXPECT_GT(report.samples, 0) << report.name;
    EXPECT_TRUE(log_.Contains(report.name + ": loss "));
  }
}

TEST_P(RepairOf, HoldsForImagesItHasNotSeen) {
  class Others : public RandomImages {
   public:
    using RandomImages::RandomImages;
    int64_t Load(int64_t i, float* image) const override {
      return RandomImages::Load(i + 100000, image);
    }
  };
  const auto masks = MagnitudeMasks(teacher_, 0.5);
  Graph student = teacher_;
  Repaired(student, teacher_, masks, layers_, images_, Quiet());
  const Others others(100, kImage);
  EXPECT_LT(OutputError(student, teacher_, others),
            0.7 * OutputError(Masked(teacher_, masks), teacher_, others));
}

TEST_P(RepairOf, GivesTheDenseFunctionBackUnderMasksOfOnes) {
  Masks ones;
  for (const Layer& layer : layers_) {
    ones.emplace(teacher_.value(layer.weight).name, Mask(layer.weight_shape));
  }
  Graph student = teacher_;
  auto reports = Repaired(student, teacher_, ones, layers_, images_, Quiet());
  ExpectEqualParameters(student, teacher_);
  EXPECT_EQ(reports.back().unrepaired, "nothing is pruned up to here");
  // Pruning a weight that is zero anyway changes nothing either.
  Graph teacher = teacher_;
  teacher.mutable_value(layers_[0].weight).data[0] = 0;
  ones.at("stem.weight").Set(0, false);
  student = teacher;
  reports = Repaired(student, teacher, ones, layers_, images_, Quiet());
  ExpectEqualParameters(student, teacher);
  // One that hardly matters makes every layer be solved.
  teacher.mutable_value(layers_[0].weight).data[0] = 1e-6F;
  student = teacher;
  reports = Repaired(student, teacher, ones, layers_, images_, Quiet());
  for (const RepairedUnit& report : reports) EXPECT_EQ(report.unrepaired, "");
  EXPECT_LT(OutputError(student, teacher, images_), 1e-7);
}

TEST_P(RepairOf, DependsNeitherOnTheMemoryLimitNorOnTheRun) {
  const auto masks = MagnitudeMasks(teacher_, 0.6);
  Graph first = teacher_;
  Graph again = teacher_;
  Graph little = teacher_;
  Repaired(first, teacher_, masks, layers_, images_, Quiet());
  Repaired(again, teacher_, masks, layers_, images_, Quiet());
  LayerRepairOptions options = Quiet();
  options.memory_limit_mb = 3;  // the residual network's stem does not fit
  Repaired(little, teacher_, masks, layers_, images_, options);
  ExpectEqualParameters(first, again);
  ExpectEqualParameters(first, little);
}

INSTANTIATE_TEST_SUITE_P(Networks, RepairOf, ::testing::Values("residual", "mobile"),
                         [](const auto& network) { return std::string(network.param); });

// Judged on 200 images of which 96 took part.
TEST_P(RepairOf, SearchesTheDampingWhereAsked) {
  const auto repaired = [&](bool search) {
    Graph student = teacher_;
    LayerRepairOptions options = Quiet();
    options.damping = 1e-4;
    options.damping_search = search;
    const RandomImages few(96, kImage);
    const RepairResult result =
        RunRepair(student, teacher_, MagnitudeMasks(teacher_, 0.6), layers_, few, options);
    EXPECT_EQ(result.seconds.contains("damping"), search);
    return OutputError(student, teacher_, images_);
  };
  const double without = repaired(false);
  EXPECT_FALSE(log_.Contains("damping chosen"));
  EXPECT_LT(repaired(true), without);
  EXPECT_TRUE(log_.Contains("repair: damping chosen on the images held back: "));
}

TEST_P(RepairOf, FitsBehindActivationsWhereAsked) {
  const auto masks = MagnitudeMasks(teacher_, 0.7);
  Graph plain = teacher_;
  Graph student = teacher_;
  Repaired(plain, teacher_, masks, layers_, images_, Quiet());
  LayerRepairOptions options = Quiet();
  options.activation_aware = true;
  Repaired(student, teacher_, masks, layers_, images_, options);
  // Stem and first layer of the block; expansion and the squeeze, as HardSwish is no limit.
  EXPECT_TRUE(log_.Contains(fmt::format(
      "repair: 2 of {} layers are read by Relu or Clip alone and were fitted behind it; "
      "on the images held back the error of the outputs tried is ",
      layers_.size())));
  EXPECT_LT(OutputError(student, teacher_, images_), OutputError(plain, teacher_, images_));
  for (const auto& [name, mask] : masks) {
    const Tensor& weight = student.value(student.FindValue(name)).data;
    for (int64_t i = 0; i < mask.size(); ++i) {
      if (!mask[i]) {
        ASSERT_EQ(weight[i], 0.0F) << name << i;
      }
    }
  }
}

class Repair : public ::testing::Test {
 protected:
  std::vector<RepairedUnit> Run(const LayerRepairOptions& options = Quiet()) {
    return Repaired(student_, teacher_, masks_, LayersOf(teacher_), images_, options);
  }
  std::string Message() {
    return testing::MessageOf([&] { Run(); });
  }

  Graph teacher_ = FoldBatchNorms(testing::SmallResidualNet());
  Graph student_ = teacher_;
  Masks masks_ = MagnitudeMasks(teacher_, 0.5);
  RandomImages images_{60, kImage};
  const LogCapture log_;
};

TEST_F(Repair, ALittleMemoryLimitIsSaidWithItsCostAndTheImagesThatFit) {
  images_ = RandomImages(100, kImage);
  LayerRepairOptions options = Quiet();
  options.memory_limit_mb = 3;
  Run(options);
  // The stem's output, 16 KiB an image in both networks, exceeds 3 MB and is alive until the
  // projection: all layers but the last start at the images. Before the second convolution and the
  // projection 24 KiB cross the cut; 61 images would fit.
  EXPECT_TRUE(
      log_.Contains("repair: least squares on 5 layers, 100 images, at most 100 output "
                    "positions of each; kept activations take up to "));
  EXPECT_TRUE(log_.Contains(", 2.5 forward passes"));
  EXPECT_TRUE(log_.Contains(
      "warning: memory_limit 3 MB is little for 100 images, activations are computed 2.5 times; at "
      "most 61 images need no repetition: raise memory_limit or set data.calibration.count"));
}

TEST_F(Repair, AnAmpleMemoryLimitComputesOnce) {
  Run();
  EXPECT_TRUE(log_.Contains(", 1.0 forward passes"));
  EXPECT_FALSE(log_.Contains("warning"));
}

TEST_F(Repair, SumsBeyondTheMemoryLimitLeaveTheLayerWithAReason) {
  // block.conv2 has 288 inputs and 32 outputs: 4 · 288 · 320 · 8 bytes are 2.95 MB.
  LayerRepairOptions options = Quiet();
  options.memory_limit_mb = 2;
  const auto reports = Run(options);
  ASSERT_EQ(reports[2].name, "block.conv2");
  EXPECT_EQ(reports[2].unrepaired, "its sums take 2.95 MB, memory_limit is 2.00 MB");
  EXPECT_TRUE(log_.Contains("warning: block.conv2: not repaired: its sums take"));
  const ValueId weight = teacher_.FindValue("block.conv2.weight");
  EXPECT_THAT(student_.value(weight).data.values(),
              ElementsAreArray(Masked(teacher_, masks_).value(weight).data.values()));
}

TEST_F(Repair, LayersWithoutAMaskStayAsTheyAre) {
  masks_.erase("block.conv1.weight");
  masks_.erase("fc.weight");
  std::vector<std::string> names;
  for (const auto& report : Run()) names.push_back(report.name);
  EXPECT_THAT(names, ElementsAre("stem", "block.conv2", "block.down"));
  const ValueId weight = teacher_.FindValue("fc.weight");
  EXPECT_THAT(student_.value(weight).data.values(),
              ElementsAreArray(teacher_.value(weight).data.values()));
}

TEST_F(Repair, RowsWithoutAnyWeightBecomeConstant) {
  Mask& mask = masks_.at("fc.weight");
  for (int64_t i = 0; i < 2 * 32; ++i) mask.Set(i, false);
  Run();
  const Tensor y = OutputOf(student_, images_);
  for (int64_t i = 0; i < 60; ++i) EXPECT_EQ(y[i * 10], y[0]);
}

TEST_F(Repair, BrokenImagesAreLeftOut) {
  images_.broken = {0, 17, 18, 19, 20, 21, 22, 23, 59};
  for (int64_t i = 24; i < 32; ++i) images_.broken.insert(i);  // a whole batch
  const auto reports = Run();
  EXPECT_EQ(reports.back().samples, 43);
  EXPECT_TRUE(log_.Contains("warning: calibration uses 43 of 60 images"));
  for (int64_t i = 0; i < 60; ++i) images_.broken.insert(i);
  EXPECT_EQ(Message(), "calibration: no image is left of 60");
}

TEST_F(Repair, MistakesAreNamed) {
  masks_.emplace("nowhere", Mask(Shape{2}));
  EXPECT_EQ(Message(),
            "small_residual: there is a mask for \"nowhere\", which is no parameter of the "
            "network");
  masks_.erase("nowhere");
  masks_["fc.weight"] = Mask(Shape{2, 2});
  EXPECT_EQ(Message(),
            "small_residual: the mask of \"fc.weight\" has shape [2,2], the weight [10,32]");
  masks_ = MagnitudeMasks(teacher_, 0.5);
  images_ = RandomImages(0, kImage);
  EXPECT_EQ(Message(), "calibration: no image; repair needs some");
  images_ = RandomImages(4, kImage);
  const Graph folded = teacher_;
  teacher_ = testing::SmallResidualNet();
  EXPECT_THAT(testing::MessageOf([&] {
                Repaired(student_, teacher_, masks_, LayersOf(folded), images_, Quiet());
              }),
              HasSubstr("nodes, the dense network has"));
}

TEST_F(Repair, ANanInAWeightIsNamed) {
  student_.mutable_value(student_.FindValue("block.conv1.weight")).data[3] = std::nanf("");
  EXPECT_EQ(
      Message(),
      "small_residual: \"block.conv1.weight\" of shape [32,16,3,3] holds nan at flat index 3; "
      "repair the model first");
}

TEST_F(Repair, FewerImagesThanABatchAreEnough) {
  images_ = RandomImages(5, kImage);
  LayerRepairOptions options = Quiet();
  options.batch = 16;
  EXPECT_EQ(Run(options).back().samples, 5);
  EXPECT_FALSE(log_.Contains("warning"));
}

TEST_F(Repair, FewerImagesThanEightHoldNoneBack) {
  images_ = RandomImages(7, kImage);
  LayerRepairOptions options = Quiet();
  options.damping_search = true;
  const auto searched = Run(options);
  EXPECT_TRUE(
      log_.Contains("warning: repair: no layer's damping was searched (7 images, memory_limit 3000 "
                    "MB); it is 0.01"));
  options.damping_search = false;
  const auto fixed = Run(options);
  ASSERT_EQ(searched.size(), fixed.size());
}

TEST_F(Repair, LittleMemoryLeavesTheDampingAsItIs) {
  LayerRepairOptions options = Quiet();
  options.damping_search = true;
  options.memory_limit_mb = 4;
  Run(options);
  EXPECT_TRUE(log_.Contains(": damping 0.01, not searched: its sums take "));
}

TEST_F(Repair, FewerImagesThanAFixedBatchAreAnError) {
  const std::vector<Layer> layers = LayersOf(teacher_);
  student_.inputs[0].shape.set_dim(0, 8);
  teacher_.inputs[0].shape.set_dim(0, 8);
  EXPECT_EQ(testing::MessageOf([&] {
              Repaired(student_, teacher_, masks_, layers, RandomImages(5, kImage), Quiet());
            }),
            "calibration: 5 images, the network takes batches of exactly 8; give at least 8");
  const RandomImages more(13, kImage);
  EXPECT_EQ(Repaired(student_, teacher_, masks_, layers, more, Quiet()).back().samples, 8);
  EXPECT_TRUE(log_.Contains("warning: calibration uses 8 of 13 images"));
}

TEST_F(Repair, PhasesAreTimedAndMoreFinishedLayersThanMasksAreAnError) {
  const std::vector<Layer> layers = LayersOf(teacher_);
  RepairTask task{.student = student_,
                  .teacher = teacher_,
                  .masks = masks_,
                  .layers = layers,
                  .calibration = images_,
                  .title = "",
                  .finished = 6};
  EXPECT_EQ(testing::MessageOf([&] { RepairLayers(task, Quiet()); }),
            "small_residual: 6 layers are said to be finished, 5 have masks");
  task.finished = 4;
  const RepairResult result = RepairLayers(task, Quiet());
  for (const char* phase : {"load images", "forward", "statistics", "solve"}) {
    EXPECT_GT(result.seconds.at(phase), 0) << phase;
  }
  EXPECT_TRUE(log_.Contains("repair: least squares on 1 layers behind 4 finished ones, 60 images"));
}

// Two layers without bias of their own: the means are matched all the same.
TEST(RepairWithoutBias, AddsOne) {
  testing::GraphBuilder b("plain");
  ValueId x = b.Input(kImage);
  x = b.Relu("relu", b.Conv("first", x, 3, 8, 3));
  x = b.Op(OpType::kGlobalAveragePool, "pool", {b.Conv("second", x, 8, 6, 3)});
  const Graph teacher = b.Finish({b.Op(OpType::kFlatten, "flatten", {x})});
  Graph student = teacher;
  const LogCapture log;
  const auto masks = MagnitudeMasks(teacher, 0.5);
  const RandomImages images(50, kImage);
  Repaired(student, teacher, masks, LayersOf(teacher), images, Quiet());
  EXPECT_NE(student.FindValue("first.bias"), kNoValue);
  EXPECT_NE(student.FindValue("second.bias"), kNoValue);
  EXPECT_TRUE(log.Contains("second: gets a bias of its own, \"second.bias\""));
  student.SortAndCheck();
  EXPECT_LT(OutputError(student, teacher, images),
            0.5 * OutputError(Masked(teacher, masks), teacher, images));
}

TEST(RepairWithMatMul, LeavesItWithAReason) {
  testing::GraphBuilder b("matmul");
  ValueId x = b.Input({12});
  Random random(3);
  Tensor weight({4, 12});
  for (float& v : weight.values()) v = static_cast<float>(random.Normal());
  const ValueId w = b.Parameter("m.weight", std::move(weight));
  const Graph teacher = b.Finish({b.Op(OpType::kMatMul, "m", {x, w}, {{"transB", int64_t{1}}})});
  Graph student = teacher;
  const LogCapture log;
  const auto reports = Repaired(student, teacher, MagnitudeMasks(teacher, 0.5), LayersOf(teacher),
                                RandomImages(9, {12}), Quiet());
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].unrepaired, "MatMul has no bias that could match the means");
  EXPECT_EQ(CountZeros(student.value(student.FindValue("m.weight")).data), 24);
}

}  // namespace
}  // namespace sparsify

#include "reconstruction/unit_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/reconstruction/unit_repair_support.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;
using testing::MessageOf;

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

}  // namespace
}  // namespace sparsify

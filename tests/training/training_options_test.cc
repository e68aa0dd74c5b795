#include "sparsity/training/training_options.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "sparsity/base/options_yaml.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using testing::MessageOf;

TrainingOptions FromText(const std::string& text) {
  TrainingOptions options;
  OptionsDocument::FromText(text, "f.yaml").Read(options);
  return options;
}

std::string ErrorFor(const std::string& text) {
  return MessageOf([&] { FromText(text).Check(); });
}

TEST(TrainingOptions, AreReadFromYaml) {
  const TrainingOptions o = FromText(R"(
epochs: 2.5
batch: 32
resolution: 160
precision: bf16
optimizer: adamw
lr: 0.002
momentum: 0
nesterov: False
weight_decay: 0.05
lr_schedule: step
lr_milestones: [30, 60, 90]
lr_gamma: 0.2
warm_up: 10
label_smoothing: 0.1
clip_norm: 1.5
distillation: {weight: 0.5, temperature: 4}
augment: {crop: False, flip: False, min_area: 0.25, brightness: 0.4, contrast: 0.3, saturation: 0.2}
batch_norm_momentum: 0.01
from_scratch: True
log_interval: 7
save_interval: 0
)");
  EXPECT_EQ(o.epochs, 2.5);
  EXPECT_EQ(o.iterations, std::nullopt);
  EXPECT_EQ(o.batch, 32);
  EXPECT_EQ(o.resolution, 160);
  EXPECT_EQ(o.LayerPrecision(), Precision::kBf16);
  EXPECT_EQ(TrainingOptions{}.LayerPrecision(), Precision::kF32);
  EXPECT_EQ(o.ImagesText(), "32 images (160×160)");
  EXPECT_EQ(TrainingOptions{}.ImagesText(), "64 images");
  EXPECT_EQ(o.lr_milestones, (std::vector<double>{30, 60, 90}));
  EXPECT_EQ(o.warm_up, 10);
  EXPECT_EQ(o.label_smoothing, 0.1);
  EXPECT_EQ(o.clip_norm, 1.5);
  EXPECT_EQ(o.distillation->weight, 0.5);
  EXPECT_EQ(o.distillation->temperature, 4);
  EXPECT_FALSE(o.augment.crop);
  EXPECT_FALSE(o.augment.flip);
  EXPECT_EQ(o.augment.min_area, 0.25);
  EXPECT_EQ(o.augment.brightness, 0.4);
  EXPECT_EQ(o.augment.contrast, 0.3);
  EXPECT_EQ(o.augment.saturation, 0.2);
  EXPECT_EQ(o.batch_norm_momentum, 0.01);
  EXPECT_TRUE(o.from_scratch);
  EXPECT_EQ(o.log_interval, 7);
  EXPECT_EQ(o.save_interval, 0);
  const OptimizerOptions optimizer = o.Optimizer();
  EXPECT_EQ(optimizer.type, "adamw");
  EXPECT_EQ(optimizer.momentum, 0);
  EXPECT_FALSE(optimizer.nesterov);
  EXPECT_EQ(optimizer.weight_decay, 0.05);
}

TEST(TrainingOptions, WhatIsOutOfRangeIsRefusedWithItsPlace) {
  EXPECT_EQ(ErrorFor("epochs: 0"), "f.yaml:1:9: epochs: 0 is out of range, expected > 0");
  EXPECT_EQ(ErrorFor("iterations: 0"), "f.yaml:1:13: iterations: 0 is out of range, expected ≥ 1");
  EXPECT_EQ(ErrorFor("optimizer: sdg"),
            "f.yaml:1:12: optimizer: unknown \"sdg\"; did you mean \"sgd\"; known: sgd, adam, "
            "adamw");
  EXPECT_EQ(ErrorFor("lr_schedule: cosin"),
            "f.yaml:1:14: lr_schedule: unknown \"cosin\"; did you mean \"cosine\"; known: cosine, "
            "step, constant");
  EXPECT_EQ(ErrorFor("momentum: 1"),
            "f.yaml:1:11: momentum: 1 is out of range, expected 0 … below 1");
  EXPECT_EQ(ErrorFor("distillation: {temperature: 0}"),
            "f.yaml:1:29: distillation.temperature: 0 is out of range, expected > 0");
  for (const char* bad :
       {"batch: 0", "batch: 65537", "lr: 0", "lr: -1", "weight_decay: -1", "lr_milestones: [101]",
        "lr_gamma: 0", "warm_up: -1", "label_smoothing: 1.1", "clip_norm: 0",
        "augment: {min_area: 0}", "augment: {contrast: 2}", "batch_norm_momentum: 2",
        "log_interval: 0", "save_interval: -1", "distillation: {weight: -1}"}) {
    EXPECT_NE(ErrorFor(bad).find("is out of range"), std::string::npos) << bad;
  }
}

TEST(TrainingOptions, MilestonesMustIncrease) {
  EXPECT_EQ(ErrorFor("lr_milestones: [30, 60]"), "no error");
  EXPECT_EQ(ErrorFor("lr_milestones: [60, 30]"),
            "training.lr_milestones: 30 comes after 60; they must increase");
  EXPECT_EQ(ErrorFor("lr_milestones: [30, 30]"),
            "training.lr_milestones: 30 comes after 30; they must increase");
}

TEST(TrainingOptions, EpochsBecomeSteps) {
  TrainingOptions o;
  o.batch = 64;
  EXPECT_EQ(MessageOf([&] { o.Steps(1000); }),
            "training: neither epochs nor iterations is given; set one of them");
  o.epochs = 3;
  EXPECT_EQ(o.Steps(640), 30);
  EXPECT_EQ(o.Steps(641), 31);  // 30.05, whole steps
  EXPECT_EQ(o.Steps(1), 1);
  o.epochs = 0.1;  // 0.1 · 640 is above 64 by a rounding
  EXPECT_EQ(o.Steps(640), 1);
  o.epochs = 1e300;
  EXPECT_EQ(MessageOf([&] { o.Steps(640); }),
            "training.epochs: 1e+300 of 640 images are 1e+301 steps; more than 1000000000000 are "
            "not made");
  o.iterations = 17;
  EXPECT_EQ(MessageOf([&] { o.Steps(640); }),
            "training: both epochs (1e+300) and iterations (17) are given; leave one out");
  o.epochs.reset();
  EXPECT_EQ(o.Steps(640), 17);
}

TEST(TrainingOptions, LearningRatesHaveTheirClosedForms) {
  TrainingOptions o;
  o.lr = 0.4;
  for (int64_t step = 0; step < 100; ++step) {
    o.warm_up = 0;
    const auto x = static_cast<double>(step);
    o.lr_schedule = "cosine";
    EXPECT_NEAR(o.LearningRate(step, 100), 0.4 * std::pow(std::cos(std::numbers::pi * x / 200), 2),
                1e-12);
    o.lr_schedule = "constant";
    EXPECT_EQ(o.LearningRate(step, 100), 0.4);
    o.lr_schedule = "step";  // 50 and 75 percent, tenths
    EXPECT_NEAR(o.LearningRate(step, 100), step < 50 ? 0.4 : step < 75 ? 0.04 : 0.004, 1e-12);
    o.warm_up = 20;
    const double rise = std::min(1.0, (x + 1) / 21);
    EXPECT_NEAR(o.LearningRate(step, 100),
                rise * (step < 50   ? 0.4
                        : step < 75 ? 0.04
                                    : 0.004),
                1e-12);
    o.lr_schedule = "cosine";
    const double rest = std::max(0.0, x - 20) / 80;
    EXPECT_NEAR(o.LearningRate(step, 100), rise * 0.2 * (1 + std::cos(std::numbers::pi * rest)),
                1e-12);
  }
}

TEST(TrainingOptions, AWarmUpAsLongAsTheRunEndsBeforeTheLastStep) {
  TrainingOptions o;
  o.lr = 1;
  o.warm_up = 1000;
  EXPECT_EQ(o.LearningRate(0, 1), 1);
  EXPECT_DOUBLE_EQ(o.LearningRate(0, 4), 0.25);
  EXPECT_DOUBLE_EQ(o.LearningRate(3, 4), 1);
}

}  // namespace
}  // namespace sparsify

#include "sparsity/training/training_options.h"

#include <algorithm>
#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/training/lr_schedule.h"

namespace sparsify {

void AugmentOptions::VisitFields(OptionVisitor& v) {
  v.Field("crop", crop, "random crops; False: the centre");
  v.Field("flip", flip, "mirrored, left to right, every second time");
  v.Field("min_area", min_area, {.min = 0, .max = 1, .min_open = true},
          "below 1: random crops of this share of the area to all of it, resized");
  v.Field("brightness", brightness, {.min = 0, .max = 1}, "factor drawn from 1 - x to 1 + x");
  v.Field("contrast", contrast, {.min = 0, .max = 1}, "the same about the mean grey");
  v.Field("saturation", saturation, {.min = 0, .max = 1}, "the same about each pixel's grey");
}

void DistillationOptions::VisitFields(OptionVisitor& v) {
  v.Field("weight", weight, {.min = 0}, "of the divergence; the labels' cross-entropy counts 1");
  v.Field("temperature", temperature, {.min = 0, .min_open = true},
          "both networks' scores are divided by it");
}

void TrainingOptions::VisitFields(OptionVisitor& v) {
  v.Field("epochs", epochs, {.min = 0, .min_open = true},
          "passes over data.training: of all stages together where the scheduler goes through "
          "stages, else of each sparsity");
  v.Field("iterations", iterations, {.min = 1}, "optimiser steps, instead of epochs");
  v.Field("batch", batch, {.min = 1, .max = 65536}, "images a step");
  v.Field("resolution", resolution, {.min = 1, .max = 10'000},
          "height and width of the images learned from, all of data.transform in proportion; null: "
          "the network's own, which evaluation always takes");
  v.Choice("precision", precision, {"f32", "bf16"},
           "of the factors that convolutions and fully connected layers multiply, where it is "
           "faster; sums, weights and all else are f32. bf16 needs AVX512_BF16 or AMX");
  v.Choice("optimizer", optimizer, {"sgd", "adam", "adamw"}, "as PyTorch defines them");
  v.Field("lr", lr, {.min = 0, .min_open = true}, "largest learning rate");
  v.Field("momentum", momentum, {.min = 0, .max = 1, .max_open = true}, "of sgd");
  v.Field("nesterov", nesterov, "of sgd");
  v.Field("weight_decay", weight_decay, {.min = 0},
          "of the layers' weights; biases and batch norm do not decay");
  v.Choice("lr_schedule", lr_schedule, {"cosine", "step", "constant"},
           "begins anew at every stage or sparsity");
  v.Field("lr_milestones", lr_milestones, {.min = 0, .max = 100},
          "step: where the rate falls, percent of the steps, increasing");
  v.Field("lr_gamma", lr_gamma, {.min = 0, .max = 1, .min_open = true},
          "step: factor at each milestone");
  v.Field("warm_up", warm_up, {.min = 0}, "steps over which the learning rate rises");
  v.Field("label_smoothing", label_smoothing, {.min = 0, .max = 1},
          "share of the label that is spread over all classes");
  v.Field("clip_norm", clip_norm, {.min = 0, .min_open = true},
          "largest norm of all gradients together");
  v.OptionalSection("distillation", distillation, "learn from the dense network's answers too");
  v.Section("augment", augment, "what is done to the images");
  v.Field("batch_norm_momentum", batch_norm_momentum, {.min = 0, .max = 1},
          "share of a batch in the running mean and variance");
  v.Field("from_scratch", from_scratch,
          "the dense network is trained first, from random weights; the file gives its structure");
  v.Field("log_interval", log_interval, {.min = 1}, "steps between rows of training.csv");
  v.Field(
      "tensorboard", tensorboard,
      "these rows as event files for TensorBoard too, a folder below events/ for each sparsity");
  v.Field("save_interval", save_interval, {.min = 0},
          "seconds between two saves of the state that --resume goes on from");
}

void TrainingOptions::Check() const {
  for (size_t i = 1; i < lr_milestones.size(); ++i) {
    if (lr_milestones[i] > lr_milestones[i - 1]) continue;
    FailUsage("training.lr_milestones", "{} comes after {}; they must increase", lr_milestones[i],
              lr_milestones[i - 1]);
  }
}

OptimizerOptions TrainingOptions::Optimizer() const {
  OptimizerOptions options;
  options.type = optimizer;
  options.momentum = momentum;
  options.nesterov = nesterov && momentum > 0;
  options.weight_decay = weight_decay;
  return options;
}

std::string TrainingOptions::ImagesText() const {
  if (!resolution) return fmt::format("{} images", batch);
  return fmt::format("{0} images ({1}×{1})", batch, *resolution);
}

double TrainingOptions::LearningRate(int64_t step, int64_t steps) const {
  if (lr_schedule != "step") {
    return lr * LrFactor(LrScheduleFromName("training.lr_schedule", lr_schedule), step, steps,
                         std::min(warm_up, steps - 1));
  }
  double rate = lr * LrFactor(LrSchedule::kConstant, step, steps, std::min(warm_up, steps - 1));
  for (const double percent : lr_milestones) {
    if (static_cast<double>(step) * 100 >= percent * static_cast<double>(steps)) rate *= lr_gamma;
  }
  return rate;
}

int64_t TrainingOptions::Steps(int64_t samples) const {
  constexpr double kMost = 1e12;
  if (epochs && iterations) {
    FailUsage("training", "both epochs ({}) and iterations ({}) are given; leave one out", *epochs,
              *iterations);
  }
  if (!epochs && !iterations) {
    FailUsage("training", "neither epochs nor iterations is given; set one of them");
  }
  if (iterations) return *iterations;
  const double steps = *epochs * static_cast<double>(samples) / static_cast<double>(batch);
  if (!(steps <= kMost)) {
    FailUsage("training.epochs", "{} of {} images are {} steps; more than {} are not made", *epochs,
              samples, steps, kMost);
  }
  return std::max<int64_t>(1, std::llround(std::ceil(steps - 1e-9)));
}

}  // namespace sparsify

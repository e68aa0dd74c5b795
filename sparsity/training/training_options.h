// The `training:` section: how a network is trained while it is pruned, or from scratch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/base/options.h"
#include "sparsity/data/augment.h"
#include "sparsity/ops/precision.h"
#include "sparsity/training/optimizer.h"

namespace sparsify {

/// `augment:`: what is done to the images.
struct AugmentOptions : Augmentation {
  void VisitFields(OptionVisitor& v);
};

/// `distillation:`: besides the labels, the dense network's answers (losses.h, DistillationLoss).
struct DistillationOptions {
  double weight = 1;  // of the divergence; the labels' cross-entropy counts 1
  double temperature = 1;

  void VisitFields(OptionVisitor& v);
};

struct TrainingOptions {
  std::optional<double> epochs;       // passes over data.training
  std::optional<int64_t> iterations;  // instead of epochs
  int64_t batch = 64;
  std::optional<int64_t> resolution;
  std::string precision = "f32";  // f32, bf16
  std::string optimizer = "sgd";  // sgd, adam, adamw
  double lr = 0.01;
  double momentum = 0.9;  // sgd
  bool nesterov = true;   // sgd
  double weight_decay = 1e-4;
  std::string lr_schedule = "cosine";  // cosine, step, constant
  std::vector<double> lr_milestones = {50, 75};
  double lr_gamma = 0.1;
  int64_t warm_up = 0;
  double label_smoothing = 0;
  std::optional<double> clip_norm;
  std::optional<DistillationOptions> distillation;
  AugmentOptions augment;
  double batch_norm_momentum = 0.1;
  bool from_scratch = false;
  int64_t log_interval = 50;
  bool tensorboard = false;
  double save_interval = 60;

  void VisitFields(OptionVisitor& v);

  /// Throws a usage Error ("training.<key>: …") for values that are good one by one and not
  /// together. Train calls it.
  void Check() const;
  OptimizerOptions Optimizer() const;
  Precision LayerPrecision() const { return PrecisionOf(precision); }
  /// "64 images", with their size where it is not the network's own.
  std::string ImagesText() const;
  /// Learning rate at `step` of `steps`. A warm-up that is as long as the run or longer ends with
  /// the step before the last.
  double LearningRate(int64_t step, int64_t steps) const;
  /// Steps in all for a set of `samples`, at least 1; epochs are rounded up to whole steps. Throws
  /// a usage Error unless exactly one of epochs and iterations is given, or beyond 10^12 steps.
  int64_t Steps(int64_t samples) const;
};

}  // namespace sparsify

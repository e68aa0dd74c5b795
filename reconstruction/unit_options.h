// Options of the repair by optimiser steps, unit by unit (unit_repair.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "reconstruction/unit.h"
#include "sparsity/mask/mask.h"
#include "sparsity/training/lr_schedule.h"

namespace sparsify {

enum class LrScale {
  kAbsolute,  // weight_lr is the step
  kRowRms,    // weight_lr is relative to the rms of the output channel's kept weights at the start
};

struct UnitRepairOptions {
  UnitPattern pattern = UnitPattern::kLayer;
  int64_t max_count = 20000;      // steps a unit, at most
  double weight_lr = 1e-5;        // Adam's step size
  std::optional<double> bias_lr;  // the same for biases, always absolute; absent: biases stay
  LrSchedule lr_schedule = LrSchedule::kConstant;
  LrScale lr_scale = LrScale::kAbsolute;
  double early_stop = 1e-5;  // a unit ends when the loss of a step's images is below

  int64_t batch = 64;        // images a step; a network with a fixed batch has its own
  int64_t batches = 16;      // calibration batches that are used (cali_batchsize)
  bool mix_batches = false;  // a step's images are drawn from all, not one of the cached batches
  double held_back = 0;      // share of the images that is not trained on and decides when to stop
  int64_t patience = 500;    // steps without gain on them before a unit ends

  bool use_dense_inps = false;     // unit inputs from the teacher instead of the student
  bool bias_correction = false;    // match the layers' channel means first
  bool weight_correction = false;  // CorrectKept (sparsity/mask/fake_sparse.h) first

  /// False: masks are remade from the latent weights before every step, pruned weights can come
  /// back (METHODS "FakeSparse"); needs `remake_mask`, given the weight's value name and the
  /// latent weight.
  bool mask_is_static = true;
  std::function<Mask(const std::string& weight_name, const Tensor& weight)> remake_mask;

  int64_t memory_limit_mb = 3000;  // 10^6 bytes for kept activations and a step's own
  bool keep_in_memory = true;      // false: all kept activations go to the scratch file
  std::string scratch_directory;   // empty: the system's temporary directory
};

}  // namespace sparsify

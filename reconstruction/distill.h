// The polish of a repaired network: some optimiser steps of all its layers together towards the
// dense network's outputs, without labels (knowledge distillation, Hinton et al., 2015, with the
// block outputs as hints, Romero et al., 2015).
//
// Loss of a batch = logits_weight · MSE / variance of the teacher's logits
//                 + block_weight · mean over block outputs of MSE / variance of the teacher's,
// and which outputs count is in distillation_targets.h. With logits_loss: kl the first term is
// Σ p_teacher (log p_teacher − log p_student), the mean over images. Squared logits (Ba and
// Caruana, "Do Deep Nets Really Need to be Deep?", NeurIPS 2014) say more of an image than its
// prediction, and overfit later: measured in docs/results.md. What learns are the weights that
// masks keep and the biases of all layers, unpruned ones included; batch norm that is not folded
// stays as it is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "reconstruction/reconstruction_options.h"
#include "reconstruction/repair.h"
#include "sparsity/training/training_state.h"

namespace sparsify {

using DistillOptions = PolishOptions;

/// How a polish outlives an interruption.
struct PolishResume {
  /// What an earlier call with the same task and options left. If it began with other weights that
  /// is said, and the polish begins anew.
  std::optional<TrainingState> start = {};
  /// Called after every step, `last` after the last one and on an interruption. `state` makes what
  /// `start` can be; a polish that goes on from it gives the same result to the bit, on as many
  /// threads. May be empty.
  std::function<void(const std::function<TrainingState()>& state, bool last)> offer = {};
};

/// Takes options.max_count steps of Adam (relative_adam.h), each on options.batch images drawn
/// without repetition from the calibration set, and writes the result into task.student; masks
/// stay as they are. A step of a weight is relative to the rms of its output channel's weights,
/// one of a bias to the standard deviation of that channel in the dense network.
///
/// A tenth of the calibration images, at most 64, evenly spread (DistillationBatches::HeldBack), is
/// held back. The result is the point with the least loss on them among a quarter, a half, three
/// quarters and the whole of the way from the student's weights to what was learned (Wortsman et
/// al., "Robust fine-tuning of zero-shot models", CVPR 2022); when that is no less than before, the
/// student stays as it was. Both are said. A repair that was fitted to these images before would
/// look better on them than it is: give it the others. One unit, "polish", has that loss before and
/// after. task.finished and on_finished are not used; `resume` stands in for them.
///
/// Each thread keeps the activations of both networks for DistillationObjective::kPart images.
///
/// An operator without gradient leaves the student as it is, with the reason in `unrepaired`.
/// Throws Error when the graphs do not belong together, when both weights of the loss are 0, on
/// fewer than two images, and when the loss is not finite before the first step.
RepairResult Distill(const RepairTask& task, const DistillOptions& options,
                     const PolishResume& resume = {});

/// Step size at `step` (from 0): weight_lr · ½(1 + cos(π step / max_count)), over the first
/// warm_up steps times (step + 1) / warm_up.
double DistillStepSize(const DistillOptions& options, int64_t step);

}  // namespace sparsify

// FCPTS: how much of each layer goes, learned on images (Gong et al., "Fast and Controllable
// Post-training Sparsity: Learning Optimal Sparsity Allocation with Global Constraint in
// Minutes", AAAI 2024).
//
// Every layer has a sparsity sₗ that learns; the weights stay. Forward the layer's smallest
// weights are masked as NormalMaskGenerator would; backward the gradient goes straight through a
// smooth step at the threshold (weight_ranking.h). What falls is
//   L(s) + λ · |Σ nₗsₗ / Σ nₗ − target|
// with L the loss of distillation against the dense network (distill.h, divergence of predictions,
// both weights 1). λ is `fcpts_weight` times the slope of L where all layers give more alike
// (running mean of |Σ ∂L/∂sₗ|), so that it has no unit and above 1 the target holds. Adam takes the
// steps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/allocation/allocation.h"
#include "sparsity/data/dataset.h"
#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"

namespace sparsify {

struct LearnAllocationTask {
  const Graph& graph;  // dense
  const std::vector<Layer>& layers;
  const std::vector<std::string>& skipped;  // by layer: why it stays dense, or empty
  double sparsity = 0;                      // of the layers that are not skipped; fraction
  const Dataset& calibration;
  bool row_normalized = false;  // the mask generator's key of that name
  uint64_t seed = 0;            // of the order of the images
  std::string title = "FCPTS";  // of progress lines and notes; empty: silent
};

struct LearnedAllocation {
  std::vector<double> sparsity;  // by layer, fractions; 0 for skipped ones
  std::string start;             // the allocation that learning began with: "ERK", "Uniform"
  double start_loss = 0;         // L on the images held back
  double loss = 0;               // with `sparsity`
  double reached = 0;  // Σ nₗsₗ / Σ nₗ after the last step, before it is made exact
  std::string remark;  // why learning stopped early or was in vain, or empty
};

/// Learns from `options` (fcpts_*, max_layer_sparsity, erk_power). Starts from ERK or Uniform,
/// whichever has the smaller loss, and takes fcpts_steps steps of fcpts_lr · ½(1 + cos(π
/// step/steps)). At the end all layers move by one amount within 0 … max_layer_sparsity so that
/// Σ nₗsₗ meets the target exactly; each layer keeps a weight where the target allows it.
///
/// A tenth of the images, at most 64, is held back: when what was learned is no better on them
/// than the start, the start stays, which is said. The same seed and threads give the same answer.
/// Polls for Ctrl-C. Throws Error on too few images, an operator without gradient, weights that
/// are not finite, and a target out of reach.
LearnedAllocation LearnAllocation(const LearnAllocationTask& task,
                                  const AllocationOptions& options);

/// `sparsity` moved by one amount, each within 0 … most, so that Σ weights·sparsity / Σ weights
/// is `target` as nearly as the bounds allow.
std::vector<double> ShiftToTarget(const std::vector<double>& sparsity,
                                  const std::vector<double>& weights,
                                  const std::vector<double>& most, double target);

}  // namespace sparsify

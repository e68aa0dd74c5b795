// Weights of a pruned layer fitted to what its activation lets through.
//
// Behind Relu or Clip it does not matter by how much an output lies below the range or above it, so
// the weights that stay are better spent on the samples inside. For a row w with bias b, s = w·x +
// b, the dense network's output y and the activation r this lowers
//   E[(r(s) − r(y))²] + λ|w − v|²
// (the objective of Zhang, Zou, He & Sun, "Accelerating Very Deep Convolutional Networks for
// Classification and Detection", 2015, §3.2, with the inputs of the network under repair as in
// §3.3; there for low rank, by relaxation). v and λ are those of layer_problem.h. Gauss-Newton
// steps from the solution at hand, each by conjugate gradients over the samples that
// LayerStatistics kept, with the inverse Hessian of the problem without activation as
// preconditioner.
#pragma once

#include <cstdint>
#include <string>

#include "reconstruction/second_order/layer_problem.h"
#include "sparsity/ops/activations.h"

namespace sparsify {

struct ActivationFitOptions {
  double damping = 0.01;   // λ, as a share of the mean diagonal of the inputs' covariance
  int newton_steps = 2;    // Gauss-Newton
  int gradient_steps = 6;  // of conjugate gradients, each
};

struct ActivationFit {
  int64_t rows = 0;  // of groups without an obstacle
  int64_t tried = 0;
  int64_t improved = 0;  // rows that took their new weights
  /// Σ over the rows tried of E[(r(s) − r(y))²] on the samples held back, r the activation.
  double before = 0;
  double after = 0;
  std::string obstacle;  // why outputs could not be fitted, or empty
};

/// Fits the rows of `layer` on its mask; `dense` is the teacher's weight. A row takes its new
/// weights and bias if they lower its error on the samples held back. In a group of 128 rows or
/// more every eighth is tried first, and where fewer than one in eight of these gains, the others
/// stay as they are. Without samples held back (fewer
/// than eight images, or StatisticsOptions::kept_positions = 0) nothing changes. Sets layer.weight,
/// layer.bias and layer.loss. Polls for Ctrl-C. Throws Error naming the layer on shapes that
/// differ or a NaN.
ActivationFit FitBehindActivation(const LayerStatistics& statistics, const Tensor& dense,
                                  const ValueRange& range, const ActivationFitOptions& options,
                                  LayerSolution& layer);

}  // namespace sparsify

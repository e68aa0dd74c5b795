// Measures sensitivity curves: each layer pruned alone at several sparsities, and what that does
// to the network's output on calibration images.
//
// The rest of the network stays dense, so one walk serves all layers: the dense activations
// before the layer are kept, the layer is computed with its new weights and the part of the
// network behind it from there. The new weights are those that repair would find with nothing
// else pruned: masked least squares from the dense network's own statistics.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reconstruction/layer_runner.h"
#include "reconstruction/output_loss.h"
#include "sparsity/allocation/sensitivity.h"
#include "sparsity/data/dataset.h"
#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"
#include "sparsity/mask/mask_generator.h"

namespace sparsify {

struct SensitivityTask {
  const Graph& graph;  // dense
  const std::vector<Layer>& layers;
  const std::vector<std::string>& skipped;  // by layer: why it stays dense, or empty
  const MaskGenerator& generator;
  const Dataset& calibration;
  /// Curves of an earlier run with the same settings; their layers are not measured again.
  std::vector<SensitivityCurve> measured = {};
  /// Called after each layer with all curves so far. May be empty.
  std::function<void(const std::vector<SensitivityCurve>&)> on_layer = {};
  /// Runs the part of the network behind a layer; empty: node by node.
  NetworkMaker make_network = {};
};

struct SensitivityOptions {
  std::vector<double> levels = {0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};  // increasing
  int64_t images = 256;  // that the loss is measured on, drawn at random; all if there are fewer
  OutputLossKind loss = OutputLossKind::kKl;
  /// Least squares, on the images that the loss is not measured on if these fill at least as many
  /// batches, else on all; false: masked weights.
  bool repair = true;
  double damping = 0.01;
  bool damping_search = false;  // for each layer and level (damping_search.h)
  int64_t max_positions = 100;
  int64_t memory_limit_mb = 3000;  // 10^6 bytes for kept activations; also of one layer's sums
  int64_t batch = 32;              // images a forward pass; the network's own if it is fixed
  uint64_t seed = 0;               // of the images and positions; given to the mask generator too
  std::string progress = "sensitivity";  // title of progress lines and notes; empty: silent
};

/// Curves of every layer that may be pruned, in the order of `layers`. A level at which the
/// generator prunes no more than at the one before is left out (N:M has one), and a layer that
/// it cannot prune at all has the single point 0. Layers that least squares cannot solve
/// (MatMul, shared weight, computed bias, sums larger than the memory limit) are measured with
/// masked weights, which is said. The graph's batch norm should be folded where it can be.
/// Polls for Ctrl-C. Throws Error on levels that do not increase within 0 … 1, a calibration set
/// without images, or a loss that is not finite, naming the layer.
std::vector<SensitivityCurve> MeasureSensitivity(const SensitivityTask& task,
                                                 const SensitivityOptions& options);

}  // namespace sparsify

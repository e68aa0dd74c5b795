// Post-training repair by masked least squares, layer after layer.
//
// Each pruned layer gets the weights on its mask's support, and the bias, that bring its
// outputs nearest to the dense network's on calibration images, given the inputs that it sees in
// the sparse network (with everything before it repaired already). One pass, no learning
// rate; second_order/least_squares.h has the problem and its sources.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sparsity/data/dataset.h"
#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"
#include "sparsity/mask/mask.h"

namespace sparsify {

struct LeastSquaresRepairOptions {
  double damping = 0.01;            // pull towards the dense weights, share of the mean diagonal
  int64_t max_positions = 100;      // output positions used of an image; 0: all
  int64_t memory_limit_mb = 3000;   // 10^6 bytes for kept activations; also of one layer's sums
  int64_t batch = 16;               // images a forward pass; the network's own if it is fixed
  uint64_t seed = 0;                // draws the positions
  std::string progress = "repair";  // title of the progress line; empty: silent
};

/// What happened to one pruned layer.
struct LeastSquaresRepairReport {
  std::string name;
  /// Σ over outputs of E[(teacher − student)²] relative to Σ Var(teacher), on the sparse
  /// network's inputs: with the dense weights masked, and with the new ones.
  double loss_before = 0;
  double loss_after = 0;
  double damping = 0;      // largest used; raised where a factorisation failed
  int damping_raises = 0;  // such failures
  int64_t samples = 0;     // output positions used
  double seconds = 0;
  std::string unrepaired;  // why the layer keeps the dense weights under its mask, or empty
};

/// Bakes `masks` (by the weight's value name) into `student` and repairs every masked layer in
/// topological order. Both graphs hold the same nodes, the student the dense weights, batch
/// norm folded (FoldBatchNorms) where it can be; `layers` are the student's. A Conv or Gemm
/// without a bias of its own gets one, as the means are matched. Pruned weights are +0.
///
/// Activations of both networks are kept at a cut behind the layer at work; where they exceed
/// the memory limit the cut stays further behind and nodes are computed again, which is said
/// with its cost. Layers before the first pruned weight stay as they are; layers that cannot be
/// repaired (weight shared by several nodes, MatMul, computed bias, sums larger than the memory
/// limit) keep their masked weights; warned about. Polls for Ctrl-C. The result does not depend on
/// the memory limit. Throws Error when graphs and masks do not belong together, the calibration set
/// is empty, or an activation is not finite.
std::vector<LeastSquaresRepairReport> RepairByLeastSquares(
    Graph& student, const Graph& teacher, const std::map<std::string, Mask>& masks,
    const std::vector<Layer>& layers, const Dataset& calibration,
    const LeastSquaresRepairOptions& options = {});

}  // namespace sparsify

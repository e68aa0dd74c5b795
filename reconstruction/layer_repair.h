// Post-training repair layer after layer, by linear algebra.
//
// Each pruned layer gets the weights and the bias that bring its outputs nearest to the dense
// network's on calibration images, given the inputs that it sees in the sparse network (with
// everything before it repaired already), on the mask given or on one chosen from the same
// moments. One pass, no learning rate; layer_method.h has the methods and their sources.
#pragma once

#include "reconstruction/layer_method.h"
#include "reconstruction/repair.h"

namespace sparsify {

/// Repairs every masked layer in topological order. Both graphs hold the same nodes, batch norm
/// folded (FoldBatchNorms) where it can be. Masks are put on the student first. A Conv or Gemm
/// without a bias of its own gets one, as the means are matched. A unit is a masked layer; units
/// are counted with those that need no work, and the result has those from task.finished on.
/// Methods that choose masks write them to task.masks.
///
/// With options.activation_aware, layers that Relu or Clip alone reads are fitted behind it
/// (second_order/activation_fit.h), on samples that take up to 300 MB besides the memory limit.
///
/// With options.damping_search, the sums of a layer take four times the memory, and
/// RepairResult.seconds has "damping" too.
///
/// Activations of both networks are kept at a cut near the layer at work; where they exceed the
/// memory limit the cut stays further behind and nodes are computed again, which is said with its
/// cost. Layers before the first pruned weight stay as they are; layers that cannot be repaired
/// (weight shared by several nodes, MatMul, computed bias, sums larger than the memory limit)
/// keep weights and mask; warned about. Polls for Ctrl-C. The result depends neither on the memory
/// limit nor on where a run was interrupted. RepairResult.seconds has "load images", "forward",
/// "statistics" and "solve". Throws Error when graphs and masks do not belong together, the
/// calibration set is empty, or a weight or an activation is not finite.
RepairResult RepairLayers(const RepairTask& task, const LayerRepairOptions& options = {});

}  // namespace sparsify

// bias_correction: channel means of a pruned unit's layers made those of the dense network.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "reconstruction/unit.h"
#include "sparsity/graph/graph.h"

namespace sparsify {

/// Shifts the means of the layer's output channels by `shift` (one number a channel): through its
/// bias, or through the β of the batch norm that alone reads it and is one of `nodes` (those of the
/// layer's unit: behind it the unit's loss would not see the shift, and its steps would make it a
/// second time). False, and nothing is changed, where it has neither, or where another node reads
/// them too.
bool ShiftChannels(Graph& graph, const Layer& layer, const std::vector<int>& nodes,
                   const std::vector<double>& shift);

/// For the unit's layers in order: measures the channel means of the layer's output in the student
/// as it is then (`means_of`, given the value) and shifts them to `teacher_means` (by the student's
/// value). Returns a sentence on the layers that cannot be shifted, or nothing.
std::string CorrectBiases(Graph& student, const std::vector<Layer>& layers, const Unit& unit,
                          const std::map<ValueId, std::vector<double>>& teacher_means,
                          const std::function<std::vector<double>(ValueId)>& means_of);

}  // namespace sparsify

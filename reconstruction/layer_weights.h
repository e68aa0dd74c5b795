// The weights of the layers under repair inside their graphs: what can be repaired, masks put on,
// results written back.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"
#include "sparsity/mask/mask.h"

namespace sparsify {

/// Why a layer's weights cannot be solved for, or empty. `limit` is the bytes for its sums; with
/// `searches` those of a search of its damping (damping_search.h) too.
std::string LayerObstacle(const Graph& graph, const Layer& layer, int64_t limit,
                          bool searches = false);

/// Puts every mask on the parameter of its name. Throws Error naming what does not fit.
void BakeIntoStudent(const std::map<std::string, Mask>& masks, Graph& student);

/// Throws Error naming the first parameter that holds a NaN or infinity.
void CheckFiniteParameters(const Graph& graph);

/// Whether the student's weight differs from the teacher's: pruned weights may be zero in both.
/// Throws Error when the teacher has no such parameter.
bool DiffersFromTeacher(const Graph& student, const Graph& teacher, const std::string& weight);

/// Puts a bias of one number an output into the layer's own parameter, made if need be.
void WriteBias(Graph& student, const Layer& layer, Tensor bias);

}  // namespace sparsify

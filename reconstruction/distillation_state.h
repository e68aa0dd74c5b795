// A polish on its way, as a state that another run goes on from.
#pragma once

#include <string>

#include "reconstruction/relative_adam.h"
#include "sparsity/graph/graph.h"
#include "sparsity/training/training_state.h"

namespace sparsify {

/// After `steps` steps: parameters and the optimiser's moments ("NAME/mean", "NAME/square") by the
/// student's value names, and how many steps the optimiser has taken ("steps"). The student is as
/// it was before the first step; its hash is `origin`.
TrainingState StateOfPolish(const Graph& student, const std::string& origin,
                            const RelativeAdam& optimiser, int64_t steps);

/// Puts that into an optimiser of the same polish. Returns why it is of another one and leaves the
/// optimiser alone, or empty. `max_count` is the number of steps in all.
std::string RestorePolish(const Graph& student, const std::string& origin,
                          const TrainingState& state, int64_t max_count, RelativeAdam& optimiser);

}  // namespace sparsify

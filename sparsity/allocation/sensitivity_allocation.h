// Sensitivity allocation: each layer gives what costs the network's output least.
#pragma once

#include <vector>

#include "sparsity/allocation/allocation_problem.h"
#include "sparsity/allocation/sensitivity.h"

namespace sparsify {

/// Solves `options.budget` (budget.h) for the selected layers; `problem.sparsity` is the
/// fraction of it that goes. Curves of other layers are passed over. Throws a usage Error
/// naming `where` unless the curves are this network's and every selected layer has one.
std::vector<double> AllocateBySensitivity(const AllocationProblem& problem,
                                          const std::vector<SensitivityCurve>& curves,
                                          const std::string& where);

/// The curves of the layers that may be pruned, in their order. Throws as above.
std::vector<SensitivityCurve> SelectCurves(const std::vector<Layer>& layers,
                                           const std::vector<std::string>& skipped,
                                           const std::vector<SensitivityCurve>& curves,
                                           const std::string& where);

/// The same with the curves of `options.curves_file`; a usage Error when it names none.
std::vector<double> AllocateFromCurvesFile(const AllocationProblem& problem);

}  // namespace sparsify

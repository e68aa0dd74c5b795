// What a run is going to do, for a person: the text of a dry run.
#pragma once

#include <string>
#include <vector>

#include "sparsity/cli/prepare.h"

namespace sparsify {

/// The plan: network, layers, sparsities, data, measurements, files. `folder_state`: what is in the
/// output folder already.
std::string DescribePlan(const PreparedRun& run, const std::string& folder_state);

/// "3 × depthwise (dw_no_prune), 1 × keyword": the reasons why layers stay dense; "none". An empty
/// reason is a layer that is pruned.
std::string DescribeSkipped(const std::vector<std::string>& reasons);

}  // namespace sparsify

// report.html of a run: curves, tables, per-layer sparsity, machine and configuration.
#pragma once

#include <string>
#include <vector>

#include "sparsity/cli/level_record.h"
#include "sparsity/report/html_report.h"

namespace sparsify {

/// `network` and `configuration` (resolved YAML) are shown as they are.
Report MakeRunReport(const std::string& network, const std::vector<LevelRecord>& records,
                     const std::string& configuration);

}  // namespace sparsify

// report.html of a run: curves, tables, per-layer sparsity, machine and configuration.
#pragma once

#include <string>
#include <vector>

#include "sparsity/allocation/sensitivity.h"
#include "sparsity/cli/level_record.h"
#include "sparsity/report/html_report.h"

namespace sparsify {

/// `network` and `configuration` (resolved YAML) are shown as they are. Sensitivity curves get a
/// section of their own, if there are any, and so does targets.csv, if it has rows.
Report MakeRunReport(const std::string& network, const std::vector<LevelRecord>& records,
                     const std::string& configuration,
                     const std::vector<SensitivityCurve>& curves = {},
                     const CsvTable& targets = {});

}  // namespace sparsify

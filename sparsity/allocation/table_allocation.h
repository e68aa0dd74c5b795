// Table allocation: each layer's sparsity comes from a CSV file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sparsity/allocation/allocation.h"

namespace sparsify {

/// Reads a CSV whose header has the columns "layer" and "sparsity" (percent, 0 … 100; other
/// columns are ignored, so a run's own layers.csv will do). Blank lines and lines that
/// start with # are skipped. Throws usage Errors "file:line: …" for a missing column, a
/// ragged row, a value that is no percentage, a layer given twice, and for a table whose
/// values all look like fractions.
std::map<std::string, double> ReadSparsityTable(const std::string& path);

/// Fills each selected layer's target (fraction) from options.table_file; a layer that the
/// table does not name stays dense and says so in `skipped`. Throws for a name that is no
/// layer of the network; warns about one that must stay dense anyway.
void AllocateFromTable(const std::vector<Layer>& layers, const std::string& path,
                       std::vector<LayerTarget>& targets);

}  // namespace sparsify

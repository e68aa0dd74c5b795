// What a network file holds, for a person.
#pragma once

#include <string>

#include "reconstruction/unit.h"
#include "sparsity/io/checkpoint.h"
#include "sparsity/report/csv.h"

namespace sparsify {

/// Layers with shapes, parameters, multiply-adds, sparsity and pattern; totals; a histogram
/// of weight magnitudes; and what a checkpoint says about its making. `path` is the title.
std::string InspectModel(const Checkpoint& model, const std::string& path);

/// The units that reconstruction would repair one after the other, a paragraph each.
std::string InspectUnits(const Graph& graph, const std::string& path, UnitPattern pattern);

/// Rows (from, to, weights, share of the non-zero ones) by quarter decades of |w| over the
/// four decades below the largest; the first row takes everything smaller.
CsvTable MagnitudeHistogram(const std::vector<const Tensor*>& weights);

}  // namespace sparsify

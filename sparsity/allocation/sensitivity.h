// Sensitivity curves: what pruning one layer alone costs the network's output, and their CSV.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/graph/layers.h"

namespace sparsify {

/// Loss of the network's output (e.g. KL divergence, in nats) with one layer pruned, by that
/// layer's sparsity. A curve of a single point belongs to a pattern that exists at this sparsity
/// only (N:M): the layer takes it or stays dense. A single point at 0 is a layer that the
/// pattern does not fit.
struct SensitivityCurve {
  std::string layer;
  int64_t parameters = 0;        // of the layer's weight
  int64_t macs = 0;              // multiply-adds an image, dense
  std::vector<double> sparsity;  // fractions in 0 … 1, increasing; at least one
  std::vector<double> loss;      // as many, finite; the dense network's is 0

  bool operator==(const SensitivityCurve&) const = default;
};

/// CSV "layer,parameters,macs,sparsity,loss", a row a point, sparsity in percent with ten
/// digits, written atomically. Writing what was read gives the same file.
void WriteSensitivity(const std::vector<SensitivityCurve>& curves, const std::string& path);

/// Curves from such a file (further columns are ignored), in the file's order. Throws usage
/// Errors "file:line: …" for a missing column, a ragged row, a cell that is no number or out of
/// range, rows of a layer that disagree or whose sparsity does not increase, and for a file
/// whose sparsities all look like fractions.
std::vector<SensitivityCurve> ReadSensitivity(const std::string& path);

/// Checks curves against a network: every name is a layer's and the parameters and
/// multiply-adds are its own. Throws a usage Error naming `where` otherwise.
void CheckCurves(const std::vector<SensitivityCurve>& curves, const std::vector<Layer>& layers,
                 const std::string& where);

/// The curve of a layer, or null.
const SensitivityCurve* FindCurve(const std::vector<SensitivityCurve>& curves,
                                  const std::string& layer);

}  // namespace sparsify

// How much work measuring sensitivity is, for the progress line and its time left.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/graph/layers.h"

namespace sparsify {

/// In units of 10^9 multiply-adds.
class SensitivityCost {
 public:
  /// `images`: for the statistics; `measured`: that the loss is measured on, at `levels`
  /// sparsities. Keeps a reference to `layers`.
  SensitivityCost(const std::vector<Layer>& layers, int64_t images, int64_t max_positions,
                  int64_t measured, int64_t levels);

  /// One forward pass of an image.
  double Network() const;
  /// Forward passes from the layer on.
  double Trials(const Layer& layer) const;
  /// The layer's moments, of its inputs and outputs.
  double Statistics(const Layer& layer) const;
  /// Least squares at every level, by conjugate gradients.
  double Solving(const Layer& layer) const;

 private:
  double NetworkFrom(int node) const;

  const std::vector<Layer>& layers_;
  const double images_, measured_, levels_;
  const int64_t max_positions_;
};

}  // namespace sparsify

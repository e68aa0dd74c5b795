// The `reconstruction:` and `progressive:` sections: how the weights that stay get new
// values, and over which steps of sparsity.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/base/options.h"

namespace sparsify {

/// `reconstruction:`; the published keys and their published defaults.
struct ReconstructionOptions {
  std::string pattern = "layer";   // layer, block, independent
  int64_t max_count = 20000;       // optimiser steps a unit
  double weight_lr = 1e-5;         // Adam step for weights
  std::optional<double> bias_lr;   // Adam step for biases; None: biases stay
  bool keep_gpu = true;            // cached activations stay in memory, else in a scratch file
  bool use_dense_inps = false;     // unit inputs from the dense network instead of the sparse
  bool bias_correction = false;    // match the output means first
  bool weight_correction = false;  // match each output channel's mean and deviation first
  double early_stop = 1e-5;        // a unit ends when its loss is below

  void VisitFields(OptionVisitor& v);
};

/// `progressive:`: reconstruct at each sparsity in turn.
struct ProgressiveOptions {
  std::vector<double> sparsity_tables = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6};  // fractions, increasing
  std::string teacher = "dense";  // dense: the original network; previous: the stage before

  void VisitFields(OptionVisitor& v);
};

/// Empty when this build can reconstruct, else a sentence that says what is missing.
std::string ReconstructionNotBuilt();

}  // namespace sparsify

// The `reconstruction:` and `progressive:` sections: how the weights that stay get new
// values, and over which steps of sparsity.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/base/options.h"

namespace sparsify {

/// `reconstruction:`; the published keys and their published defaults, and those of
/// `method: least_squares`, which are ours (least_squares_repair.h).
struct ReconstructionOptions {
  std::string method = "adam";     // adam (published), least_squares
  std::string pattern = "layer";   // layer, block, independent
  int64_t max_count = 20000;       // optimiser steps a unit
  double weight_lr = 1e-5;         // Adam step for weights
  std::optional<double> bias_lr;   // Adam step for biases; None: biases stay
  bool keep_gpu = true;            // cached activations stay in memory, else in a scratch file
  bool use_dense_inps = false;     // unit inputs from the dense network instead of the sparse
  bool bias_correction = false;    // match the output means first
  bool weight_correction = false;  // match each output channel's mean and deviation first
  double early_stop = 1e-5;        // a unit ends when its loss is below
  double damping = 0.01;           // least_squares: pull towards the dense weights
  int64_t max_positions = 100;     // least_squares: output positions used of an image; 0: all
  int64_t memory_limit = 3000;     // least_squares: 10^6 bytes for kept activations

  bool IsLeastSquares() const { return method == "least_squares"; }

  void VisitFields(OptionVisitor& v);
};

/// `progressive:`: reconstruct at each sparsity in turn.
struct ProgressiveOptions {
  std::vector<double> sparsity_tables = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6};  // fractions, increasing
  std::string teacher = "dense";  // dense: the original network; previous: the stage before

  void VisitFields(OptionVisitor& v);
};

/// Empty when this build has the method, else a sentence that says what is missing.
std::string NotBuilt(const ReconstructionOptions& options);
/// The keys that `method: least_squares` has no use for.
const std::vector<std::string>& KeysWithoutLeastSquares();

}  // namespace sparsify

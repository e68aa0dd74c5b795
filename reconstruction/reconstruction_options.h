// The `reconstruction:` and `progressive:` sections: how the weights that stay get new
// values, and over which steps of sparsity.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/base/options.h"
#include "sparsity/ops/precision.h"

namespace sparsify {

/// `reconstruction.polish:` (ours): optimiser steps after the method proper, against the dense
/// network's outputs and block outputs, all layers together (distill.h).
struct PolishOptions {
  int64_t max_count = 600;  // optimiser steps
  int64_t batch = 32;       // images a step
  double weight_lr = 2e-3;  // largest step, relative to the rms of each output channel's weights
  int64_t warm_up = 20;     // steps over which the step size rises
  bool augment = true;      // random crops and flips of the calibration images
  double min_area = 0.35;   // least share of a picture that a random crop shows; 1: crops of the
                            // input's own size
  double mixup = 0.5;       // largest share of another image of the batch
  std::string logits_loss = "squared";  // squared: of what Softmax reads; kl: KL(student‖teacher)
  double logits_weight = 1;             // of that in the loss
  double block_weight = 1;              // of the block outputs' relative squared error
  std::string precision = "f32";        // f32, bf16 (precision.h)

  Precision LayerPrecision() const { return PrecisionOf(precision); }
  /// Throws a usage Error that begins with `where` when the loss has no term.
  void Check(const std::string& where) const;

  void VisitFields(OptionVisitor& v);
};

/// `reconstruction:`; the published keys and their published defaults, and ours.
struct ReconstructionOptions {
  // adam (published) by units; or layer by layer in one step each: least_squares, obs,
  // admm, sparse_gpt, wanda, statistics
  std::string method = "adam";

  // method: adam (unit_repair.h)
  std::string pattern = "layer";         // layer, block, independent, network
  int64_t max_count = 20000;             // optimiser steps a unit
  double weight_lr = 1e-5;               // Adam step for weights
  std::optional<double> bias_lr;         // Adam step for biases; None: biases stay
  bool keep_gpu = true;                  // cached activations in memory, else in a scratch file
  bool use_dense_inps = false;           // unit inputs from the dense network instead of the sparse
  bool bias_correction = false;          // match the output means first
  bool weight_correction = false;        // match each output channel's mean and deviation first
  double early_stop = 1e-5;              // a unit ends when its loss is below
  std::string lr_schedule = "constant";  // constant (published), cosine
  std::string lr_scale = "absolute";     // absolute (published), row_rms
  bool mix_batches = false;  // batches drawn across the cached images, not whole cached batches
  double held_back = 0;      // share of the calibration images that decides when to stop
  int64_t patience = 500;    // steps without gain on them before a unit ends

  // the other methods (layer_repair.h)
  double damping = 0.01;               // pull towards the dense weights
  bool damping_search = false;         // chooses it for each layer on images held back
  int64_t max_positions = 100;         // output positions used of an image; 0: all
  bool activation_aware = false;       // fit to what Relu or Clip lets through
  bool statistics_correction = false;  // match every channel's mean and deviation at the end

  int64_t memory_limit = 1500;          // 10^6 bytes for kept activations
  std::optional<PolishOptions> polish;  // after any method

  bool IsAdam() const { return method == "adam"; }
  /// Layer by layer with input statistics: batch norm is folded first.
  bool IsLayerwise() const { return !IsAdam(); }
  /// The method chooses the weights to prune itself.
  bool ChoosesMasks() const;
  /// The method solves for weights, by a damped quadratic problem of each layer.
  bool SolvesForWeights() const;

  void VisitFields(OptionVisitor& v);
};

/// `progressive:`: reconstruct at each sparsity in turn.
struct ProgressiveOptions {
  std::vector<double> sparsity_tables = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6};  // fractions, increasing
  std::string teacher = "dense";  // dense: the original network; previous: the stage before

  void VisitFields(OptionVisitor& v);
};

/// The keys of `reconstruction:` that the chosen method has no use for.
std::vector<std::string> UnusedKeys(const ReconstructionOptions& options);

}  // namespace sparsify

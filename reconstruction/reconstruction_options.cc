#include "reconstruction/reconstruction_options.h"

namespace sparsify {

void ReconstructionOptions::VisitFields(OptionVisitor& v) {
  v.Choice("method", method, {"adam", "least_squares"},
           "adam: optimiser steps unit by unit, as published (not built yet); least_squares: "
           "each layer's best weights in one step, batch norm folded first");
  v.Choice("pattern", pattern, {"layer", "block", "independent"},
           "unit that is repaired at a time");
  v.Field("max_count", max_count, {.min = 1}, "optimiser steps a unit");
  v.Field("weight_lr", weight_lr, {.min = 0, .min_open = true}, "step size for weights");
  v.Field("bias_lr", bias_lr, {.min = 0, .min_open = true},
          "step size for biases; None: biases stay as they are");
  v.Field("keep_gpu", keep_gpu,
          "True: cached activations stay in memory; False: in a scratch file");
  v.Field("use_dense_inps", use_dense_inps,
          "True: a unit's inputs come from the dense network instead of the repaired one");
  v.Field("bias_correction", bias_correction, "match the output means first");
  v.Field("weight_correction", weight_correction,
          "match each output channel's mean and deviation first");
  v.Field("early_stop", early_stop, {.min = 0}, "a unit ends when its loss is below this");
  v.Field("damping", damping, {.min = 0, .max = 1e6},
          "least_squares: pull towards the dense weights, as a share of the mean diagonal of the "
          "inputs' covariance");
  v.Field("max_positions", max_positions, {.min = 0},
          "least_squares: output positions of a layer used of each image, drawn at random; 0: all");
  v.Field("memory_limit", memory_limit, {.min = 1, .max = 1e9},
          "least_squares: MB for kept activations; what does not fit is computed again");
}

void ProgressiveOptions::VisitFields(OptionVisitor& v) {
  v.Field("sparsity_tables", sparsity_tables,
          {.min = 0, .max = 1, .min_open = true, .max_open = true},
          "sparsities in turn, fractions, increasing");
  v.Choice("teacher", teacher, {"dense", "previous"},
           "whose outputs a stage imitates: the dense network's or the previous stage's");
}

std::string NotBuilt(const ReconstructionOptions& options) {
  if (options.IsLeastSquares()) return "";
  return "repairing weights by method: adam is not built yet";
}

const std::vector<std::string>& KeysWithoutLeastSquares() {
  static const std::vector<std::string> keys = {
      "pattern",        "max_count",       "weight_lr",         "bias_lr",   "keep_gpu",
      "use_dense_inps", "bias_correction", "weight_correction", "early_stop"};
  return keys;
}

}  // namespace sparsify

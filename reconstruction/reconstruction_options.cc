#include "reconstruction/reconstruction_options.h"

namespace sparsify {

void ReconstructionOptions::VisitFields(OptionVisitor& v) {
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
}

void ProgressiveOptions::VisitFields(OptionVisitor& v) {
  v.Field("sparsity_tables", sparsity_tables,
          {.min = 0, .max = 1, .min_open = true, .max_open = true},
          "sparsities in turn, fractions, increasing");
  v.Choice("teacher", teacher, {"dense", "previous"},
           "whose outputs a stage imitates: the dense network's or the previous stage's");
}

std::string ReconstructionNotBuilt() {
  return "repairing weights by reconstruction is not built yet";
}

}  // namespace sparsify

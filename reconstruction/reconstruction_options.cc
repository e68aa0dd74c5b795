#include "reconstruction/reconstruction_options.h"

#include "sparsity/base/error.h"

namespace sparsify {

void PolishOptions::VisitFields(OptionVisitor& v) {
  v.Field("max_count", max_count, {.min = 1}, "optimiser steps");
  v.Field("batch", batch, {.min = 1, .max = 65536}, "images a step");
  v.Field("weight_lr", weight_lr, {.min = 0, .min_open = true},
          "largest step size, relative to the rms of each output channel's weights");
  v.Field("warm_up", warm_up, {.min = 0}, "steps over which the step size rises; then cosine");
  v.Field("augment", augment, "random crops and flips of the calibration images");
  v.Field("min_area", min_area, {.min = 0, .max = 1, .min_open = true},
          "least share of a picture that a random crop shows; 1: crops of the input's own size");
  v.Field("mixup", mixup, {.min = 0, .max = 1},
          "images are mixed with another one of their batch, at most this share of it; 0: not");
  v.Choice("logits_loss", logits_loss, {"squared", "kl"},
           "squared: error of the logits, relative to their variance; kl: divergence of the "
           "predictions, which a thousand images overfit sooner");
  v.Field("logits_weight", logits_weight, {.min = 0}, "weight of the logits' error in the loss");
  v.Field("block_weight", block_weight, {.min = 0},
          "weight of the block outputs' squared error, relative to their variance");
  v.Choice("precision", precision, {"f32", "bf16"},
           "of the factors that layers multiply, where it is faster; sums and all else are f32. "
           "bf16 needs AVX512_BF16 or AMX");
}

void PolishOptions::Check(const std::string& where) const {
  if (logits_weight != 0 || block_weight != 0) return;
  FailUsage(where,
            "logits_weight and block_weight are both 0, nothing is left to minimise; set one");
}

bool ReconstructionOptions::ChoosesMasks() const {
  return method == "obs" || method == "admm" || method == "sparse_gpt" || method == "wanda";
}

bool ReconstructionOptions::SolvesForWeights() const {
  return method != "adam" && method != "statistics";
}

void ReconstructionOptions::VisitFields(OptionVisitor& v) {
  v.Choice("method", method,
           {"adam", "least_squares", "obs", "admm", "sparse_gpt", "wanda", "statistics"},
           "adam: optimiser steps unit by unit, as published; the others go layer by layer with "
           "batch norm folded: least_squares solves for the best weights on the masks; obs, "
           "admm, sparse_gpt and wanda choose the masks too, then do the same; statistics matches "
           "each channel's mean and deviation only");
  v.Choice("pattern", pattern, {"layer", "block", "independent", "network"},
           "adam: unit that is repaired at a time");
  v.Field("max_count", max_count, {.min = 1}, "adam: optimiser steps a unit, at most");
  v.Field("weight_lr", weight_lr, {.min = 0, .min_open = true}, "adam: step size for weights");
  v.Field("bias_lr", bias_lr, {.min = 0, .min_open = true},
          "adam: step size for biases; None: biases stay as they are");
  v.Field("keep_gpu", keep_gpu,
          "adam: True: cached activations stay in memory up to memory_limit, the rest in a scratch "
          "file; False: all in a scratch file");
  v.Field("use_dense_inps", use_dense_inps,
          "adam: True: a unit's inputs come from the dense network instead of the repaired one");
  v.Field("bias_correction", bias_correction, "adam: match the output means first");
  v.Field("weight_correction", weight_correction,
          "adam: match each output channel's mean and deviation first");
  v.Field("early_stop", early_stop, {.min = 0}, "adam: a unit ends when its loss is below this");
  v.Choice("lr_schedule", lr_schedule, {"constant", "cosine"}, "adam: step size over max_count");
  v.Choice("lr_scale", lr_scale, {"absolute", "row_rms"},
           "adam: absolute: weight_lr is the step, as published; row_rms: it is relative to the "
           "rms of the output channel's weights");
  v.Field("mix_batches", mix_batches,
          "adam: True: each step draws its images from the whole calibration set; False: a step "
          "takes one of the cached batches, as published");
  v.Field("held_back", held_back, {.min = 0, .max = 0.5},
          "adam: share of the calibration images that is not trained on and decides when a unit "
          "stops; 0: every unit takes max_count steps");
  v.Field("patience", patience, {.min = 1},
          "adam: steps without gain on the images held back before a unit stops");
  v.Field("damping", damping, {.min = 0, .max = 1e6},
          "pull towards the dense weights, as a share of the mean diagonal of the inputs' "
          "covariance; not adam");
  v.Field(
      "damping_search", damping_search,
      "each layer's damping is chosen on every eighth calibration image, from `damping` upwards "
      "or downwards, within 0.0001 … 10; not adam, not statistics");
  v.Field("max_positions", max_positions, {.min = 0},
          "output positions of a layer used of each image, drawn at random, 0: all; not adam");
  v.Field(
      "activation_aware", activation_aware,
      "then fit the weights of layers in front of Relu or Clip to what these let through, which "
      "takes some 400 MB more; not adam, not statistics");
  v.Field(
      "statistics_correction", statistics_correction,
      "match every output channel's mean and deviation with the dense network's at the end, layer "
      "by layer");
  v.Field("memory_limit", memory_limit, {.min = 1, .max = 1e9},
          "MB for kept activations; what does not fit goes to a scratch file or is computed again");
  v.OptionalSection("polish", polish,
                    "optimiser steps of all layers together after the method, towards the dense "
                    "network's outputs; a tenth of the calibration images (64 at most) is held "
                    "back from both and judges them");
}

void ProgressiveOptions::VisitFields(OptionVisitor& v) {
  v.Field("sparsity_tables", sparsity_tables,
          {.min = 0, .max = 1, .min_open = true, .max_open = true},
          "sparsities in turn, fractions, increasing");
  v.Choice("teacher", teacher, {"dense", "previous"},
           "whose outputs a stage imitates: the dense network's or the previous stage's");
}

std::vector<std::string> UnusedKeys(const ReconstructionOptions& options) {
  const std::vector<std::string> of_adam = {
      "pattern",     "max_count",      "weight_lr",       "bias_lr",           "keep_gpu",
      "mix_batches", "use_dense_inps", "bias_correction", "weight_correction", "early_stop",
      "lr_schedule", "lr_scale",       "held_back",       "patience"};
  std::vector<std::string> unused;
  if (!options.IsAdam()) {
    unused = of_adam;
  } else if (!options.statistics_correction) {
    // The correction reads the layers' inputs as the other methods do.
    unused = {"damping", "max_positions"};
  }
  if (!options.SolvesForWeights()) {
    unused.emplace_back("damping_search");
    unused.emplace_back("activation_aware");
  }
  return unused;
}

}  // namespace sparsify

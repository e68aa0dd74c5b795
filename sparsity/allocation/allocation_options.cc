#include "sparsity/allocation/allocation.h"

namespace sparsify {

void AllocationOptions::VisitFields(OptionVisitor& v) {
  const std::vector<std::string_view> types = AllocationTypes();
  v.Choice("type", type, types, "how much of each layer goes");
  v.Field("erk_power", erk_power, {.min = 0, .min_open = true},
          "ERK: density follows (sum of dims / product of dims) to this power");
  v.Field("max_layer_sparsity", max_layer_sparsity, {.min = 0, .max = 1, .min_open = true},
          "no layer above this fraction; the excess goes to the others");
  v.Field("tuning", tuning, {.min = 0},
          "level: how much less early, high-resolution layers are pruned");
  v.Field("tolerance", tolerance, {.min = 0, .max = 1, .min_open = true},
          "level: accepted distance from the requested network sparsity, fraction");
  v.Field("table_file", table_file, "table: CSV \"layer,sparsity\", percent");
  v.Choice("budget", budget, {"sparsity", "size", "macs"},
           "Sensitivity: what the sweep's percent are of: the pruned layers' weights, or the bytes "
           "or multiply-adds of the whole network that go");
  v.Field("curves_file", curves_file,
          "Sensitivity: a run's sensitivity.csv, instead of measuring on data.calibration");
  v.Field("levels", levels, {.min = 0, .max = 100, .min_open = true, .max_open = true},
          "Sensitivity: sparsities that each layer alone is tried at, percent, increasing");
  v.Field("images", images, {.min = 1},
          "Sensitivity: calibration images that the loss is measured on, drawn at random");
  v.Choice("loss", loss, {"kl", "mse"},
           "Sensitivity: of the network's output: kl: KL(dense‖pruned) of the class probabilities; "
           "mse: squared difference relative to the variance");
  v.Field("fcpts_steps", fcpts_steps, {.min = 1}, "FCPTS: optimiser steps that a level learns for");
  v.Field("fcpts_batch", fcpts_batch, {.min = 1}, "FCPTS: calibration images a step");
  v.Field("fcpts_lr", fcpts_lr, {.min = 0, .max = 1, .min_open = true},
          "FCPTS: largest step of a layer's sparsity, fraction");
  v.Field("fcpts_weight", fcpts_weight, {.min = 0, .min_open = true},
          "FCPTS: weight of the distance from the network's sparsity, relative to the slope of the "
          "loss with it");
}

void LayerSelectionOptions::VisitFields(OptionVisitor& v) {
  v.Field("no_prune_keyword", no_prune_keyword,
          "comma list: layers whose name contains one of these stay dense");
  v.Field("no_prune_layer", no_prune_layer, "comma list: layers of exactly these names stay dense");
  v.Field("dw_no_prune", dw_no_prune, "depthwise layers stay dense");
}

}  // namespace sparsify

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
  v.Choice(
      "budget", budget, {"sparsity", "size", "macs", "speedup", "latency"},
      "Sensitivity: what the sweep's numbers are: percent of the pruned layers' weights, or of "
      "the bytes or multiply-adds of the whole network, that go; speed-ups over the dense plan "
      "(increasing), or milliseconds a run (decreasing), with the benchmark's first batch and "
      "threads");
  v.Field("curves_file", curves_file,
          "Sensitivity: a run's sensitivity.csv, instead of measuring on data.calibration");
  v.Field("levels", levels, {.min = 0, .max = 100, .min_open = true, .max_open = true},
          "Sensitivity: sparsities that each layer alone is tried at, percent, increasing");
  v.Field(
      "images", images, {.min = 1},
      "Sensitivity: calibration images that the loss is measured on, drawn at random; layers are "
      "solved on the others if these are as many");
  v.Choice("loss", loss, {"kl", "mse", "energy"},
           "Sensitivity: of the network's output: kl: KL(dense‖pruned) of the class probabilities; "
           "mse: squared difference relative to the variance; energy: no images, the share of a "
           "layer's sum of squares that goes stands for the loss");
  v.Field("times_file", times_file,
          "budget speedup or latency: a run's layer_times.csv, instead of measuring");
  v.Field("time_levels", time_levels, {.min = 0, .max = 100, .min_open = true, .max_open = true},
          "budget speedup or latency: sparsities that the network is timed at, every layer alike, "
          "percent, increasing");
  v.Field("time_tolerance", time_tolerance, {.min = 0, .max = 1, .min_open = true},
          "budget speedup or latency: accepted distance from the time asked for, fraction");
  v.Field("time_rounds", time_rounds, {.min = 1, .max = 100},
          "budget speedup or latency: rounds of solving, timing and correcting, at most");
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

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "schedulers/scheduler.h"
#include "sparsity/cli/run_checks.h"
#include "sparsity/cli/run_config.h"

namespace sparsify {
namespace {

/// Keys that the scheduler has no use for or brings itself.
void AddUnusedByScheduler(const RunConfig& config,
                          const std::function<void(std::string_view, std::string_view)>& add) {
  const auto scheduler = MakeScheduler(config.sparsity.scheduler);
  const std::string_view type = scheduler->type();
  if (scheduler->OwnGenerator()) {
    add("sparsity.mask_generator.type", "the scheduler makes masks of its own");
  }
  if (type == "AmbaLevelPruneScheduler") {
    for (const std::string_view key :
         {"sparsity.allocation.type", "sparsity.layers.no_prune_keyword",
          "sparsity.layers.no_prune_layer", "sparsity.layers.dw_no_prune"}) {
      add(key, "the scheduler's own keys say this");
    }
  }
  if (!config.training) return;
  add("sparsity.fake_sparse.kwargs.weight_correction", "training corrects the weights itself");
  if (type != "BaseScheduler" && type != "AmbaLevelPruneScheduler" &&
      type != "PolynomialScheduler") {
    add("sparsity.fake_sparse.kwargs.mask_is_static", "the scheduler decides it");
  }
}

/// Keys of `allocation:` that another type would use, where they are not the defaults.
void AddUnusedByAllocation(const AllocationOptions& given,
                           const std::function<void(std::string_view, std::string_view)>& add) {
  using Options = AllocationOptions;
  const Options defaults;
  const auto check = [&](std::string_view type, std::string_view key, const auto member) {
    if (given.type == type || given.*member == defaults.*member) return;
    add(fmt::format("sparsity.allocation.{}", key), fmt::format("allocation.type is not {}", type));
  };
  check("ERK", "erk_power", &Options::erk_power);
  check("level", "tuning", &Options::tuning);
  check("level", "tolerance", &Options::tolerance);
  check("table", "table_file", &Options::table_file);
  check("Sensitivity", "budget", &Options::budget);
  check("Sensitivity", "curves_file", &Options::curves_file);
  check("Sensitivity", "levels", &Options::levels);
  check("Sensitivity", "images", &Options::images);
  check("Sensitivity", "loss", &Options::loss);
  check("FCPTS", "fcpts_steps", &Options::fcpts_steps);
  check("FCPTS", "fcpts_batch", &Options::fcpts_batch);
  check("FCPTS", "fcpts_lr", &Options::fcpts_lr);
  check("FCPTS", "fcpts_weight", &Options::fcpts_weight);
  if (given.HasTimeBudget()) return;
  for (const auto& [key, is_default] :
       {std::pair("times_file", given.times_file == defaults.times_file),
        std::pair("time_levels", given.time_levels == defaults.time_levels),
        std::pair("time_tolerance", given.time_tolerance == defaults.time_tolerance),
        std::pair("time_rounds", given.time_rounds == defaults.time_rounds)}) {
    if (is_default) continue;
    add(fmt::format("sparsity.allocation.{}", key),
        "allocation.budget is neither speedup nor latency");
  }
}

/// Keys of `training:` that others make idle.
void AddUnusedTraining(const TrainingOptions& training,
                       const std::function<void(std::string_view, std::string_view)>& add) {
  if (training.optimizer != "sgd") {
    add("training.momentum", "optimizer is not sgd");
    add("training.nesterov", "optimizer is not sgd");
  }
  if (training.lr_schedule != "step") {
    add("training.lr_milestones", "lr_schedule is not step");
    add("training.lr_gamma", "lr_schedule is not step");
  }
  if (!training.augment.crop) add("training.augment.min_area", "crop is off");
}

}  // namespace

std::vector<std::string> UnusedSettings(const RunConfig& config, const OptionsDocument& document) {
  std::vector<std::string> unused;
  const auto add = [&](std::string_view key, std::string_view why) {
    if (document.Has(key))
      unused.push_back(fmt::format("{}: not used, {}", document.Where(key), why));
  };
  const bool own_table = MakeScheduler(config.sparsity.scheduler)->GivesSparsities();
  if (own_table) add("sweep", "the scheduler gives the sparsities");
  if (own_table || !config.sweep.empty()) {
    const std::string_view giver =
        own_table ? "the scheduler gives the sparsities" : "the sweep gives the sparsities";
    if (config.sparsity.mask_generator.sparsity) add(kKwargsSparsityKey, giver);
    if (config.sparsity.progressive) add(kProgressiveKey, giver);
  }
  if (!config.sparsity.reconstruction) {
    add("sparsity.cali_batchsize", "there is no reconstruction");
    const AllocationOptions& allocation = config.sparsity.allocation;
    const bool measures = allocation.type == "Sensitivity" && allocation.curves_file.empty() &&
                          allocation.loss != "energy";
    if (!measures && allocation.type != "FCPTS") {
      add("data.calibration", "there is no reconstruction");
    }
  } else {
    const ReconstructionOptions& repair = *config.sparsity.reconstruction;
    if (repair.IsLayerwise()) {
      add("sparsity.cali_batchsize",
          fmt::format("method: {} takes every image of data.calibration", repair.method));
    }
    const std::string& masks = config.sparsity.mask_generator.type;
    if (repair.ChoosesMasks() && masks != "NMMaskGenerator" && masks != "BlockMaskGenerator" &&
        masks != "NormalMaskGenerator") {
      add("sparsity.mask_generator.type",
          fmt::format("method: {} chooses the weights itself", repair.method));
    }
    for (const std::string& key : UnusedKeys(repair)) {
      add("sparsity.reconstruction." + key,
          fmt::format("method: {} has no use for it", repair.method));
    }
  }
  AddUnusedByScheduler(config, add);
  if (config.sparsity.scheduler.type != "AmbaLevelPruneScheduler") {
    AddUnusedByAllocation(config.sparsity.allocation, add);
  }
  if (!config.data.evaluation) add("evaluation.batch", "there is no data.evaluation");
  if (!config.training) {
    add("data.training", "there is no training");
  } else {
    AddUnusedTraining(*config.training, add);
  }
  return unused;
}

}  // namespace sparsify

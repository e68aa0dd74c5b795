#include "sparsity/cli/run_config.h"

#include <cmath>
#include <utility>

#include "schedulers/scheduler.h"
#include "sparsity/base/error.h"
#include "sparsity/base/options_print.h"
#include "sparsity/cli/run_checks.h"

namespace sparsify {
namespace {

/// 100 times `fraction` without the last bits' noise: 0.57 gives 57.
double PercentOf(double fraction) { return std::round(fraction * 1e8) / 1e6; }

/// Fractions from the first place that gives some; may be empty.
std::vector<double> RequestedLevels(const RunConfig& config) {
  std::vector<double> levels;
  for (const double percent : config.sweep) levels.push_back(percent / 100);
  if (!levels.empty()) return levels;
  if (config.sparsity.progressive) return config.sparsity.progressive->sparsity_tables;
  if (config.sparsity.mask_generator.sparsity) return {*config.sparsity.mask_generator.sparsity};
  return {};
}

}  // namespace

void ModelOptions::VisitFields(OptionVisitor& v) {
  v.Field("path", path, "trained network, .onnx or a checkpoint .h5; required");
}

void SparsityOptions::VisitFields(OptionVisitor& v) {
  v.Section("mask_generator", mask_generator, "which weights of a layer go");
  v.Section("fake_sparse", fake_sparse, "how a mask acts while weights change");
  v.Section("scheduler", scheduler, "how much and when");
  v.Section("allocation", allocation, "how much of each layer goes at one network sparsity");
  v.Section("layers", layers, "which layers stay dense");
  v.Field("cali_batchsize", cali_batchsize, {.min = 1},
          "number of calibration batches for reconstruction");
  v.OptionalSection("reconstruction", reconstruction, "new values for the weights that stay");
  v.OptionalSection("progressive", progressive, "reconstruction over several sparsities in turn");
}

void EvaluationOptions::VisitFields(OptionVisitor& v) {
  v.Field("batch", batch, {.min = 1, .max = 65536}, "images a forward pass");
}

void OutputOptions::VisitFields(OptionVisitor& v) {
  v.Field("dir", dir, "folder for tables, checkpoints and the report; --output wins over it");
}

void RunConfig::VisitFields(OptionVisitor& v) {
  v.Field("sweep", sweep, {.min = 0, .min_open = true},
          "network sparsities to go through, percent, below 100, increasing; or what "
          "sparsity.allocation.budget makes of them");
  v.Field("seed", seed, {.min = 0},
          "of everything random; same seed and number of threads, same masks");
  v.Section("model", model, "the network to prune");
  v.Section("data", data, "images and how they become network inputs");
  v.Section("sparsity", sparsity, "what is pruned, how, and how it is repaired");
  v.OptionalSection("training", training, "labelled images train the network while it is pruned");
  v.Section("evaluation", evaluation, "how accuracy is measured");
  v.OptionalSection("benchmark", benchmark, "how speed is measured; None: not at all");
  v.Section("output", output, "where results go");
}

RunConfig ReadRunConfig(const OptionsDocument& document) {
  RunConfig config;
  document.Read(config);
  CheckRunConfig(config, document);
  return config;
}

std::vector<Stage> ScheduledStages(const RunConfig& config, const OptionsDocument& document,
                                   int64_t total_iterations) {
  return WithPlace(document, "sparsity.scheduler", [&] {
    return MakeScheduler(config.sparsity.scheduler)
        ->Stages(total_iterations, RequestedLevels(config));
  });
}

namespace {

/// The key that gives the sparsities.
std::string_view LevelsKey(const RunConfig& config) {
  if (MakeScheduler(config.sparsity.scheduler)->GivesSparsities()) return kSchedulerTableKey;
  if (!config.sweep.empty()) return "sweep";
  return config.sparsity.progressive ? kProgressiveKey : kKwargsSparsityKey;
}

/// Files are named by the levels, and 0 is the dense network.
void CheckLevels(const std::vector<double>& levels, const std::string& where) {
  for (size_t i = 0; i < levels.size(); ++i) {
    if (levels[i] <= 0 || levels[i] >= 100) {
      FailUsage(where, "{} percent of the network, expected above 0 and below 100", levels[i]);
    }
    if (i > 0 && levels[i] <= levels[i - 1]) {
      FailUsage(where, "{0} percent after {0}; sparsities must differ by a millionth of a percent",
                levels[i]);
    }
  }
}

}  // namespace

std::vector<double> SweepLevels(const RunConfig& config, const OptionsDocument& document) {
  if (config.sparsity.allocation.HasTimeBudget()) return config.sweep;
  // Only the stages' sparsities count here, and they do not depend on the iterations.
  constexpr int64_t kPlentyOfIterations = int64_t{1} << 40;
  std::vector<double> levels;
  for (const Stage& stage : ScheduledStages(config, document, kPlentyOfIterations))
    levels.push_back(PercentOf(stage.sparsity));
  const bool dense_only = config.training && config.training->from_scratch;
  if (levels.empty() && !dense_only) {
    FailUsage(document.Where("sweep"),
              "no sparsity given; write sweep: [50] (percent) or kwargs.sparsity (a fraction)");
  }
  CheckLevels(levels, document.Where(LevelsKey(config)));
  return levels;
}

std::vector<std::string> MissingFeatures(const RunConfig& config, const OptionsDocument& document) {
  std::vector<std::string> missing;
  const auto add = [&](std::string_view key, const std::string& fact, std::string_view remedy) {
    if (fact.empty()) return;
    missing.push_back(
        fmt::format("{}: {}{}{}", document.Where(key), fact, remedy.empty() ? "" : "; ", remedy));
  };
  const SparsityOptions& s = config.sparsity;
  add("sparsity.mask_generator.type", NotBuilt(s.mask_generator), "choose another generator");
  if (!config.training && MakeScheduler(s.scheduler)->NeedsTraining()) {
    add("sparsity.scheduler.type",
        fmt::format("{} prunes a network while it is trained, but there is no training section",
                    s.scheduler.type),
        "add e.g. training: {epochs: 10}, or use BaseScheduler");
  }
  if (config.benchmark) {
    for (const std::string& precision : config.benchmark->precision) {
      if (precision == "f32") continue;
      add("benchmark.precision", fmt::format("{} is not built yet", precision), "time f32");
    }
  }
  return missing;
}

std::string ResolvedConfig(const RunConfig& config) {
  RunConfig copy = config;
  return ResolvedYaml(Fields(copy));
}

}  // namespace sparsify

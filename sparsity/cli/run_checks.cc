#include "sparsity/cli/run_checks.h"

#include <algorithm>
#include <string>
#include <vector>

#include "schedulers/scheduler.h"

namespace sparsify {
namespace {

void CheckIncreasing(const std::vector<double>& levels, const std::string& where) {
  for (size_t i = 1; i < levels.size(); ++i) {
    if (levels[i] > levels[i - 1]) continue;
    FailUsage(where, "{} after {}; sparsities must increase", levels[i], levels[i - 1]);
  }
}

/// A fraction where percent belongs. Nobody prunes less than one percent on purpose.
void CheckPercent(const std::vector<double>& levels, const std::string& where) {
  for (const double level : levels) {
    if (level <= 0 || level >= 1) continue;
    FailUsage(where, "{} means {} percent here; this key is in percent: write {} for {} %", level,
              level, level * 100, level * 100);
  }
}

/// Speed-ups or milliseconds: what they need, and what they cannot go with.
void CheckTimeBudget(const RunConfig& config, const OptionsDocument& document) {
  const SparsityOptions& s = config.sparsity;
  const std::string& budget = s.allocation.budget;
  const auto refuse = [&](bool wrong, std::string_view key, std::string_view why) {
    if (wrong) FailUsage(document.Where(key), "allocation.budget is {}: {}", budget, why);
  };
  refuse(s.allocation.type != "Sensitivity", "sparsity.allocation.type",
         "only type: Sensitivity allocates by it");
  refuse(s.scheduler.type == "AmbaLevelPruneScheduler", "sparsity.scheduler.type",
         "AmbaLevelPruneScheduler allocates by itself; use BaseScheduler");
  refuse(config.training.has_value(), "training",
         "training goes through sparsities, not times; settle the times in a run without training, "
         "then train with sparsity.allocation: {type: table, table_file: target_sparsity_….csv}");
  refuse(s.progressive.has_value(), "sparsity.progressive",
         "progressive stages are sparsities, not times; remove them");
  refuse(!config.benchmark, "benchmark", "its batch and threads are what is timed; add it");
  refuse(config.sweep.empty(), "sweep", "the sweep gives the speed-ups or milliseconds; add it");
  const bool speedup = budget == "speedup";
  for (size_t i = 0; i < config.sweep.size(); ++i) {
    const double value = config.sweep[i];
    if (speedup && value <= 1) {
      FailUsage(document.Where("sweep"),
                "{} is no speed-up; with budget: speedup give e.g. [1.5, 2]", value);
    }
    const bool in_order =
        i == 0 || (speedup ? value > config.sweep[i - 1] : value < config.sweep[i - 1]);
    if (in_order) continue;
    FailUsage(document.Where("sweep"), "{} after {}; {}", value, config.sweep[i - 1],
              speedup ? "speed-ups must increase" : "milliseconds must decrease");
  }
}

/// The sweep in the unit of the budget.
void CheckSweep(const RunConfig& config, const OptionsDocument& document) {
  if (config.sparsity.allocation.HasTimeBudget()) return CheckTimeBudget(config, document);
  const std::string where = document.Where("sweep");
  CheckPercent(config.sweep, where);
  CheckIncreasing(config.sweep, where);
  if (config.sweep.empty() || config.sweep.back() < 100) return;
  FailUsage(where, "{}, expected percent above 0 … below 100", config.sweep.back());
}

/// Methods that choose masks know single weights, N:M groups and blocks.
void CheckMethodFitsMasks(const SparsityOptions& options, const OptionsDocument& document) {
  if (!options.reconstruction || !options.reconstruction->ChoosesMasks()) return;
  const MaskGeneratorOptions& masks = options.mask_generator;
  const bool filters = (masks.type == "NormalMaskGenerator" && masks.normal.structured) ||
                       masks.type == "FPGMMaskGenerator" || masks.type == "NuclearMaskGenerator";
  if (masks.type == "NM2DMaskGenerator") {
    FailUsage(document.Where("sparsity.reconstruction.method"),
              "{} chooses N:M groups along input channels alone, which would break "
              "NM2DMaskGenerator's tiles; use method: least_squares",
              options.reconstruction->method);
  }
  if (!filters) return;
  FailUsage(document.Where("sparsity.reconstruction.method"),
            "{} chooses single weights, N:M groups or blocks, but {} prunes whole filters; use "
            "method: least_squares",
            options.reconstruction->method, masks.type);
}

/// N:M groups prune every layer alike, or not at all.
void CheckPatternFitsSparsities(const RunConfig& config, const OptionsDocument& document) {
  const SparsityOptions& s = config.sparsity;
  const std::string& type = s.mask_generator.type;
  if (type != "NMMaskGenerator" && type != "NM2DMaskGenerator") return;
  if (s.scheduler.type != "BaseScheduler" || s.allocation.HasTimeBudget()) return;
  const std::string& allocation = s.allocation.type;
  if (allocation == "ERK" || allocation == "Magnitude" || allocation == "L1Normalized" ||
      allocation == "L2Normalized") {
    FailUsage(document.Where("sparsity.allocation.type"),
              "{} gives every layer a sparsity of its own, but {} prunes n of every m weights; use "
              "Uniform (every layer) or Sensitivity (which layers)",
              allocation, type);
  }
  if (allocation == "Uniform" && config.sweep.size() > 1) {
    FailUsage(document.Where("sweep"),
              "{} sparsities, but {} with Uniform allocation gives the same network for each; give "
              "one",
              config.sweep.size(), type);
  }
  if (allocation != "Sensitivity" || s.allocation.budget != "sparsity" || config.sweep.empty() ||
      type != "NMMaskGenerator") {
    return;
  }
  constexpr double kLittle = 2;  // what layers of few channels may lack
  const NMMaskOptions& nm = s.mask_generator.nm;
  const double most = 100.0 * static_cast<double>(nm.m - nm.n) / static_cast<double>(nm.m);
  if (config.sweep.back() <= most + kLittle) return;
  FailUsage(document.Where("sweep"), "{} percent, but {}:{} prunes at most {:.4g}",
            config.sweep.back(), nm.n, nm.m, most);
}

/// Training needs images and steps, and does the work of a repair itself.
void CheckTraining(const RunConfig& config, const OptionsDocument& document) {
  const SparsityOptions& s = config.sparsity;
  if (!config.training) return;  // MissingFeatures asks for it
  if (!config.data.training) {
    FailUsage(document.Where("data.training"),
              "missing; training needs labelled images, e.g. "
              "--set data.training=\"{{type: images, path: FOLDER}}\"");
  }
  if (s.reconstruction) {
    FailUsage(document.Where("sparsity.reconstruction"),
              "repairs a network without labels, but this run trains it; remove one of "
              "reconstruction and training");
  }
  if (s.progressive) {
    FailUsage(document.Where("sparsity.progressive"),
              "belongs to reconstruction; with training use AmbaLevelPruneScheduler to go through "
              "sparsities one after the other");
  }
  WithPlace(document, "training", [&] {
    config.training->Check();
    config.training->Steps(1);  // epochs or iterations
  });
}

}  // namespace

void CheckBenchmark(const BenchmarkOptions& options, const OptionsDocument& document) {
  const auto check = [&](std::string_view key, auto values) {
    const std::string where = document.Where(fmt::format("benchmark.{}", key));
    if (values.empty()) FailUsage(where, "empty; give at least one, or benchmark: None");
    std::sort(values.begin(), values.end());
    const auto twice = std::adjacent_find(values.begin(), values.end());
    if (twice != values.end()) FailUsage(where, "{} is given twice", *twice);
  };
  check("batch", options.batch);
  check("threads", options.threads);
  check("streams", options.streams);
  check("precision", options.precision);
}

void CheckRunConfig(const RunConfig& config, const OptionsDocument& document) {
  if (config.model.path.empty()) {
    FailUsage(document.Where("model.path"), "missing; name a trained network, .onnx or .h5");
  }
  if (config.output.dir.empty()) {
    FailUsage(document.Where("output.dir"), "empty; name a folder for the results");
  }
  CheckSweep(config, document);
  CheckPatternFitsSparsities(config, document);
  const auto& table = config.sparsity.scheduler.amba_level_prune.sparsity_table;
  CheckPercent(table, document.Where(kSchedulerTableKey));
  CheckIncreasing(table, document.Where(kSchedulerTableKey));
  if (config.sparsity.progressive) {
    CheckIncreasing(config.sparsity.progressive->sparsity_tables, document.Where(kProgressiveKey));
  }
  const auto& repair = config.sparsity.reconstruction;
  if (repair && !config.data.calibration) {
    FailUsage(document.Where("data.calibration"),
              "missing; reconstruction needs images, e.g. "
              "--set data.calibration=\"{{type: images, path: FOLDER}}\"");
  }
  CheckMethodFitsMasks(config.sparsity, document);
  if (config.benchmark) CheckBenchmark(*config.benchmark, document);
  WithPlace(document, "sparsity.scheduler", [&] { MakeScheduler(config.sparsity.scheduler); });
  CheckTraining(config, document);
  if (NotBuilt(config.sparsity.mask_generator).empty()) {
    WithPlace(document, "sparsity.mask_generator",
              [&] { MakeMaskGenerator(config.sparsity.mask_generator); });
  }
}

}  // namespace sparsify

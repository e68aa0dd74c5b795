#include "sparsity/cli/run_config.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "schedulers/scheduler.h"
#include "sparsity/base/error.h"
#include "sparsity/base/options_print.h"

namespace sparsify {
namespace {

constexpr std::string_view kProgressiveKey = "sparsity.progressive.sparsity_tables";
constexpr std::string_view kSchedulerTableKey = "sparsity.scheduler.kwargs.sparsity_table";
constexpr std::string_view kKwargsSparsityKey = "sparsity.mask_generator.kwargs.sparsity";

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

bool HasTimeBudget(const RunConfig& config) { return config.sparsity.allocation.HasTimeBudget(); }

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
  if (HasTimeBudget(config)) return CheckTimeBudget(config, document);
  const std::string where = document.Where("sweep");
  CheckPercent(config.sweep, where);
  CheckIncreasing(config.sweep, where);
  if (config.sweep.empty() || config.sweep.back() < 100) return;
  FailUsage(where, "{}, expected percent above 0 … below 100", config.sweep.back());
}

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

/// Runs `body`; an Error of it gets the place of `key` in front.
template <class Body>
auto WithPlace(const OptionsDocument& document, std::string_view key, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Error(ErrorKind::kUsage, fmt::format("{}: {}", document.Where(key), error.what()));
  }
}

/// Each list gives rows of speedup.csv.
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
  v.Field("seed", seed, {.min = 0}, "of everything random; same seed, same masks");
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
  if (config.model.path.empty()) {
    FailUsage(document.Where("model.path"), "missing; name a trained network, .onnx or .h5");
  }
  if (config.output.dir.empty()) {
    FailUsage(document.Where("output.dir"), "empty; name a folder for the results");
  }
  CheckSweep(config, document);
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
  if (HasTimeBudget(config)) return config.sweep;
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

std::string ResolvedConfig(const RunConfig& config) {
  RunConfig copy = config;
  return ResolvedYaml(Fields(copy));
}

std::string ConfigReference() {
  constexpr std::string_view kHead =
      "# Configuration\n\n"
      "Generated by `sparsify --help-config markdown`; a test compares it with the program.\n\n"
      "A file in YAML with the keys below, read by `sparsify --config FILE`; `--set\n"
      "a.b.c=VALUE` replaces one, VALUE any YAML, maps included. Python's `None`, `True` and\n"
      "`False` are understood. Unknown keys are errors. `extends: other.yaml` takes the keys that "
      "a file\n"
      "lacks from another, a path from its own folder. `configs/sparsity.yaml` shows the keys in\n"
      "place.\n\n"
      "Sparsities are percent in `sweep` and `sparsity_table` and in every result; they are\n"
      "fractions in `kwargs.sparsity` and `progressive.sparsity_tables`, as published. With\n"
      "`allocation: {type: Sensitivity, budget: speedup}` (or `latency`) the sweep's numbers are\n"
      "speed-ups over the dense plan (or milliseconds a run) of the benchmark's first batch and\n"
      "threads: the layers are timed at several sparsities, each target is solved for the least "
      "loss,\n"
      "timed and corrected, and the run then goes through the network sparsities that came of "
      "it.\n\n"
      "# The output folder\n\n"
      "`accuracy.csv`, `speedup.csv` and `layers.csv` (percent as 0 to 100, times in ms, sizes in\n"
      "10^6 bytes; `achieved_sparsity` is over the layers that may be pruned; `memory_size_MB` is\n"
      "the constants as executed, weights with their indices and biases; `blob_MB` the peak of "
      "the\n"
      "activations; `bandwidth_MB` the bytes moved between memory and core an inference), "
      "`checkpoints/`, `resolved.yaml`,\n"
      "`report.html`, and `records/`, one file a finished sparsity. `times.csv` holds the seconds "
      "of\n"
      "each phase and the most memory the program had taken by the end of the level. Where "
      "weights\n"
      "are repaired `repair.csv` holds each unit's error before and after, its steps, and why it "
      "was\n"
      "left alone or stopped early; `sensitivity.csv` the curves of `allocation.type: "
      "Sensitivity`,\n"
      "`learned_sparsity_*.csv` what the layers have learned with `FCPTS`, percent. With a budget "
      "of\n"
      "time `layer_times.csv` holds the milliseconds of each layer (changes of layout and the "
      "steps "
      "up\n"
      "to the next one included) in plans with every layer pruned alike, `targets.csv` for each "
      "target\n"
      "the network's sparsity, by which the other tables name its level, and its time and speed-up "
      "as\n"
      "predicted and as measured with the dense weights masked (least times; `saving_factor` is "
      "the\n"
      "true over the modelled saving), `target_sparsity_*.csv` the layers' sparsities, percent.\n\n"
      "In `speedup.csv` `dense_time_ms` is of the faster dense plan, by which `speedup` goes;\n"
      "`direct_time_ms` and `speedup_direct` are of the dense plan without Winograd's algorithm.\n"
      "It tells also what the processor does at most with this instruction set and\n"
      "number of threads, measured: `peak_gflops`, 10^9 multiplications and additions a second\n"
      "on registers, and `peak_GB_per_s`, 10^9 bytes a second read from beyond the last cache of\n"
      "a core. With `streams` above 1 that many batches run at once on `threads` threads each:\n"
      "times are then those of a run of all streams, `memory_size_MB` and `blob_MB` of all\n"
      "together; `images_per_second` and `dense_images_per_second` are streams x batch by the\n"
      "median time.\n\n"
      "`layers.csv` tells of each layer the kernel chosen in the first measurement of the\n"
      "benchmark: `time_ms` and `dense_time_ms`, of it and of the dense kernel, as timed when\n"
      "the plan was made (in place where nothing was to choose); `speedup` their ratio; `gflops`\n"
      "the 10^9 multiplications and additions it executes a second: 2 x weights x output\n"
      "positions x batch / time, of a sparse kernel the weights that are not zero, of a dense\n"
      "one all. A dense kernel that computes by Winograd's algorithm needs fewer; the direct\n"
      "ones are counted. `peak_percent` is `gflops` of `peak_gflops`; `flop_per_byte` the\n"
      "operations executed for each byte of constants, inputs and outputs.\n\n"
      "Where a network is trained `training.csv` holds means over the steps between two of its\n"
      "rows, `analysis/` the tables that level-prune begins with (`level_search.csv`,\n"
      "`level_steps.csv`, `level_layers.csv`), and `permutation.csv` what each channel\n"
      "permutation gains. With `training.tensorboard` the same curves are in `events/`, a run of\n"
      "TensorBoard's for the dense network and for each sparsity (`tensorboard --logdir\n"
      "DIR/events`). Each start adds a file; after `--resume` it supersedes the steps beyond the\n"
      "saved state that earlier ones hold, as TensorBoard itself understands.\n\n"
      "* A new or empty folder is used as it is.\n"
      "* An unfinished run of the same configuration is continued by `--resume`: sparsities that\n"
      "  have a record are not done again. Without `--resume` it is refused.\n"
      "* A finished run of the same configuration is replaced; with `--resume` it may be extended\n"
      "  by further sparsities. `sweep` and `output` may differ.\n"
      "* A run of another configuration or network, any other folder, and one that another "
      "process\n"
      "  works in, is refused and left alone.\n\n"
      "# Keys\n\n";
  RunConfig defaults;
  return std::string(kHead) + OptionsMarkdown(Fields(defaults));
}

}  // namespace sparsify

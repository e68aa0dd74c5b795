// The configuration of a run: every section of a YAML file in configs/, and the checks
// that concern several keys at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reconstruction/reconstruction_options.h"
#include "schedulers/scheduler_options.h"
#include "sparsity/allocation/allocation.h"
#include "sparsity/base/options_yaml.h"
#include "sparsity/data/data_options.h"
#include "sparsity/executor/measure.h"
#include "sparsity/mask/mask_options.h"
#include "sparsity/training/training_options.h"

namespace sparsify {

struct ModelOptions {
  std::string path;

  void VisitFields(OptionVisitor& v);
};

/// The published block, and `allocation:` and `layers:`, which are ours.
struct SparsityOptions {
  MaskGeneratorOptions mask_generator;
  FakeSparseOptions fake_sparse;
  SchedulerOptions scheduler;
  AllocationOptions allocation;
  LayerSelectionOptions layers;
  int64_t cali_batchsize = 16;
  std::optional<ReconstructionOptions> reconstruction;
  std::optional<ProgressiveOptions> progressive;

  void VisitFields(OptionVisitor& v);
};

struct EvaluationOptions {
  int64_t batch = 32;

  void VisitFields(OptionVisitor& v);
};

struct OutputOptions {
  std::string dir = "runs/sparsify";

  void VisitFields(OptionVisitor& v);
};

struct RunConfig {
  ModelOptions model;
  DataOptions data;
  SparsityOptions sparsity;
  std::optional<TrainingOptions> training;
  std::vector<double> sweep;  // percent
  EvaluationOptions evaluation;
  std::optional<BenchmarkOptions> benchmark = BenchmarkOptions{};
  OutputOptions output;
  int64_t seed = 0;

  void VisitFields(OptionVisitor& v);
};

/// Reads the whole configuration and checks it: a model is named, sparsities are in the
/// unit of their key and increase. Throws usage Errors with the place in the document.
RunConfig ReadRunConfig(const OptionsDocument& document);

/// The scheduler's stages over the sparsities that the configuration asks for. Throws a usage Error
/// with the scheduler's place where it cannot make them of so many iterations.
std::vector<Stage> ScheduledStages(const RunConfig& config, const OptionsDocument& document,
                                   int64_t total_iterations);

/// The sparsities that the run goes through, percent, increasing (with a budget of time the
/// sweep's speed-ups or milliseconds instead): the scheduler's stages over
/// the sweep, the progressive table, or the one sparsity in the mask generator's kwargs (the
/// first of these that is given; a scheduler's own table wins), to a millionth of a percent.
/// Throws a usage Error when there is none, or one that is not above 0 and below 100.
std::vector<double> SweepLevels(const RunConfig& config, const OptionsDocument& document);

/// What the configuration asks for and this build cannot do, one sentence each with its
/// place; empty when the run can go.
std::vector<std::string> MissingFeatures(const RunConfig& config, const OptionsDocument& document);

/// What the configuration says and this run does not use, one sentence each.
std::vector<std::string> UnusedSettings(const RunConfig& config, const OptionsDocument& document);

/// The configuration as YAML, every key.
std::string ResolvedConfig(const RunConfig& config);

/// The reference page docs/config.md.
std::string ConfigReference();

}  // namespace sparsify

#include "sparsity/cli/run_curves.h"

#include <filesystem>
#include <memory>

#include "reconstruction/measure_sensitivity.h"
#include "sparsity/allocation/energy_curves.h"
#include "sparsity/base/log.h"
#include "sparsity/cli/network.h"
#include "sparsity/cli/padded_plan.h"

namespace sparsify {
namespace {

NetworkFunction MakePlan(const Graph& graph, int64_t batch) {
  const auto plan = std::make_shared<PaddedPlan>(graph, batch);
  return [plan](const std::vector<const Tensor*>& inputs, Tensor& output) {
    plan->Run(inputs, output);
  };
}

SensitivityOptions OptionsOf(const PreparedRun& run) {
  SensitivityOptions options;
  options.levels.clear();
  for (const double percent : run.allocation.levels) options.levels.push_back(percent / 100);
  options.images = run.allocation.images;
  options.loss = run.allocation.loss == "kl" ? OutputLossKind::kKl : OutputLossKind::kMse;
  options.seed = static_cast<uint64_t>(run.config.seed);
  options.repair = run.config.sparsity.reconstruction.has_value();
  options.memory_limit_mb = ReconstructionOptions().memory_limit;
  if (!run.MeasuresCurves()) return options;
  if (!options.repair) {
    Note(
        "sensitivity: there is no reconstruction, so that layers are measured with masked weights");
    return options;
  }
  const ReconstructionOptions& repair = *run.config.sparsity.reconstruction;
  options.damping = repair.damping;
  options.damping_search = repair.damping_search && repair.SolvesForWeights();
  options.max_positions = repair.max_positions;
  options.memory_limit_mb = repair.memory_limit;
  return options;
}

std::vector<SensitivityCurve> Measure(const PreparedRun& run, const RunFiles& files,
                                      const MaskGenerator& generator) {
  const std::string path = files.Sensitivity();
  std::vector<SensitivityCurve> known;
  if (std::filesystem::exists(path)) {
    known = ReadSensitivity(path);
    CheckCurves(known, run.layers, path);
  }
  const auto has_curve = [&](size_t i) {
    return !run.skipped[i].empty() || FindCurve(known, run.layers[i].name) != nullptr;
  };
  bool complete = true;
  for (size_t i = 0; i < run.layers.size(); ++i) complete = complete && has_curve(i);
  if (complete) {
    Note("sensitivity: measured before");
    return known;
  }
  const Dataset& images = run.calibration ? *run.calibration : *run.measuring;
  const SensitivityTask task{
      .graph = run.model.graph,
      .layers = run.layers,
      .skipped = run.skipped,
      .generator = generator,
      .calibration = images,
      .measured = std::move(known),
      .on_layer = [&](const auto& curves) { WriteSensitivity(curves, path); },
      .make_network = MakePlan};
  MeasureSensitivity(task, OptionsOf(run));
  return ReadSensitivity(path);
}

/// The proxy that needs no images; quick enough to be computed anew each time.
std::vector<SensitivityCurve> EnergyOf(const PreparedRun& run, const RunFiles& files,
                                       const MaskGenerator& generator) {
  Note(
      "sensitivity: the share of each layer's energy that goes stands for the loss (loss: energy)");
  auto curves = EnergyCurves(run.model.graph, run.layers, run.skipped, generator,
                             OptionsOf(run).levels, static_cast<uint64_t>(run.config.seed));
  WriteSensitivity(curves, files.Sensitivity());
  return curves;
}

}  // namespace

std::vector<SensitivityCurve> RunCurves(const PreparedRun& run, const RunFiles& files,
                                        const MaskGenerator& generator) {
  if (run.allocation.type != "Sensitivity") return {};
  if (!run.allocation.curves_file.empty()) return ReadSensitivity(run.allocation.curves_file);
  if (!run.MeasuresCurves()) return EnergyOf(run, files, generator);
  return Measure(run, files, generator);
}

}  // namespace sparsify

#include "sparsity/cli/run_times.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "sparsity/allocation/prune_network.h"
#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/processor.h"
#include "sparsity/base/progress.h"

namespace sparsify {
namespace {

/// The table in the folder, or an empty one where there is none that fits.
LayerTimes Known(const PreparedRun& run, const std::string& path, const TimingSetting& setting) {
  if (!std::filesystem::exists(path)) return {setting, {}};
  LayerTimes times = ReadLayerTimes(path);
  const std::string mismatch = TimesMismatch(times, run.layers, run.skipped, setting);
  if (mismatch.empty()) return times;
  Note("{}: {}; measured again", path, mismatch);
  return {setting, {}};
}

LayerTimes FromFile(const PreparedRun& run, const TimingSetting& setting) {
  const std::string& path = run.allocation.times_file;
  LayerTimes times = ReadLayerTimes(path);
  TimingSetting here = setting;
  here.isa = times.setting.isa;
  here.processor = times.setting.processor;
  const std::string mismatch = TimesMismatch(times, run.layers, run.skipped, here);
  if (!mismatch.empty())
    FailUsage(path, "{}; measure this network in this run's setting", mismatch);
  if (times.setting != setting) {
    Warn(
        "{}: measured on {} ({}), this is {} ({}); the times are corrected by what is measured "
        "here",
        path, times.setting.processor, times.setting.isa, setting.processor, setting.isa);
  }
  return times;
}

class Measurer {
 public:
  Measurer(const PreparedRun& run, const MaskGenerator& generator)
      : run_(run), generator_(generator) {}

  /// Nothing when the generator prunes no more than at `before`.
  std::optional<NetworkTimes> Measure(double level, const NetworkTimes* before,
                                      const NetworkTimes* dense) const {
    Graph graph = run_.model.graph;
    std::vector<LayerTime> layers = Prune(level, graph);
    if (before != nullptr && !PrunesMore(layers, *before)) return std::nullopt;
    PlanOptions options = TimedPlanOptions(run_);
    options.allow_sparse = level > 0;
    const PlanProfile profile = ProfilePlan(graph, options, run_.config.benchmark->repetitions);
    const double scale = dense == nullptr ? 1 : dense->Total() / profile.times.dense_ms;
    return AttributeTimes(profile, level, std::move(layers), scale);
  }

 private:
  /// Prunes every selected layer of `graph` and says how far.
  std::vector<LayerTime> Prune(double level, Graph& graph) const {
    std::vector<LayerTarget> targets;
    for (const std::string& reason : run_.skipped) {
      targets.push_back({reason.empty() ? level : 0, reason});
    }
    PrunedNetwork pruned = PruneNetwork(graph, run_.layers, targets, generator_,
                                        static_cast<uint64_t>(run_.config.seed));
    BakeMasks(graph, pruned.masks);
    std::vector<LayerTime> layers;
    for (size_t i = 0; i < run_.layers.size(); ++i) {
      const Layer& layer = run_.layers[i];
      if (!run_.skipped[i].empty()) continue;
      layers.push_back(
          {layer.name, layer.parameters, layer.macs, pruned.layers[i].achieved, 0, ""});
    }
    return layers;
  }

  static bool PrunesMore(const std::vector<LayerTime>& layers, const NetworkTimes& before) {
    for (size_t i = 0; i < layers.size(); ++i) {
      if (layers[i].sparsity > before.layers[i].sparsity) return true;
    }
    return false;
  }

  const PreparedRun& run_;
  const MaskGenerator& generator_;
};

/// Adds what is missing of 0 and `levels` (fractions) to `times`, in order.
void MeasureMissing(const PreparedRun& run, const MaskGenerator& generator,
                    const std::vector<double>& levels, const std::string& path, LayerTimes& times) {
  const Measurer measurer(run, generator);
  if (!times.levels.empty()) {
    Note("layer times: {} of {} levels were measured before", times.levels.size(), levels.size());
  }
  Progress progress("layer times", static_cast<int64_t>(levels.size()));
  for (const double level : levels) {
    ThrowIfInterrupted();
    const auto next = std::find_if(times.levels.begin(), times.levels.end(),
                                   [&](const auto& known) { return known.level >= level; });
    const bool known = next != times.levels.end() && next->level == level;
    if (!known) {
      const NetworkTimes* dense = times.levels.empty() ? nullptr : &times.levels.front();
      const NetworkTimes* before = next == times.levels.begin() ? nullptr : &*(next - 1);
      auto measured = measurer.Measure(level, before, dense);
      if (measured) {
        Note("layer times: {:g} %: {:.4g} ms", 100 * level, measured->Total());
        times.levels.insert(next, std::move(*measured));
        WriteLayerTimes(times, path);
      } else {
        Note("layer times: {:g} %: the masks take no more than at the level before; left out",
             100 * level);
      }
    }
    progress.Advance();
  }
}

}  // namespace

TimingSetting TimingSettingOf(const PreparedRun& run) {
  const BenchmarkOptions& benchmark = *run.config.benchmark;
  return {benchmark.batch.front(), static_cast<int>(benchmark.threads.front()),
          std::string(IsaName(DetectIsa())), ProcessorName(), benchmark.winograd};
}

PlanOptions TimedPlanOptions(const PreparedRun& run) {
  const BenchmarkOptions& benchmark = *run.config.benchmark;
  return PlanOptionsOf(benchmark, benchmark.batch.front(),
                       static_cast<int>(benchmark.threads.front()));
}

NetworkTimes AttributeTimes(const PlanProfile& profile, double level, std::vector<LayerTime> layers,
                            double scale) {
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < layers.size(); ++i) places[layers[i].layer] = i;
  NetworkTimes times{level, 0, std::move(layers)};
  double* place = &times.rest_ms;
  double change = 0;  // of layout, for the next step
  for (size_t i = 0; i < profile.plan.steps.size(); ++i) {
    const StepReport& step = profile.plan.steps[i];
    const double ms = scale * profile.step_ms[i];
    if (step.op == "Reorder") {
      change += ms;
      continue;
    }
    const auto found = step.is_layer ? places.find(step.name) : places.end();
    if (found != places.end()) {
      LayerTime& layer = times.layers[found->second];
      layer.kernel = step.kernel;
      place = &layer.ms;
    }
    *place += ms + std::exchange(change, 0);
  }
  *place += change;
  return times;
}

LayerTimes RunTimes(const PreparedRun& run, const RunFiles& files, const MaskGenerator& generator) {
  const TimingSetting setting = TimingSettingOf(run);
  if (!run.allocation.times_file.empty()) return FromFile(run, setting);
  LayerTimes times = Known(run, files.LayerTimes(), setting);
  std::vector<double> levels = {0};
  for (const double percent : run.allocation.time_levels) levels.push_back(percent / 100);
  MeasureMissing(run, generator, levels, files.LayerTimes(), times);
  return ReadLayerTimes(files.LayerTimes());  // what a resumed run will work with
}

}  // namespace sparsify

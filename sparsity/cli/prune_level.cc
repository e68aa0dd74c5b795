#include "sparsity/cli/prune_level.h"

#include <chrono>
#include <cmath>
#include <ctime>

#include "sparsity/allocation/prune_network.h"
#include "sparsity/base/log.h"
#include "sparsity/cli/network.h"
#include "sparsity/cli/partial_level.h"
#include "sparsity/cli/repair_level.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/cli/version.h"
#include "sparsity/mask/fake_sparse.h"

namespace sparsify {
namespace {

std::string UtcNow() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// The network that a level starts from, with new masks baked in; `pruned` records them.
Checkpoint MaskLevel(const PreparedRun& run, size_t level, const MaskGenerator& generator,
                     const Checkpoint& start, std::vector<PrunedLayer>& layers) {
  Checkpoint checkpoint = start;
  PrunedNetwork pruned =
      PruneNetwork(checkpoint.graph, LayersOf(checkpoint.graph), run.targets[level], generator,
                   static_cast<uint64_t>(run.config.seed));
  if (run.config.sparsity.fake_sparse.weight_correction) {
    for (const auto& [name, mask] : pruned.masks) {
      const ValueId weight = checkpoint.graph.FindValue(name);
      CorrectKept(mask, checkpoint.graph.mutable_value(weight).data);
    }
  }
  BakeMasks(checkpoint.graph, pruned.masks);
  checkpoint.masks = std::move(pruned.masks);
  layers = std::move(pruned.layers);
  return checkpoint;
}

/// Achieved sparsities as the final masks have them.
void RecordSparsity(const PreparedRun& run, size_t level, const std::vector<PrunedLayer>& layers,
                    Checkpoint& checkpoint) {
  checkpoint.layers.clear();
  std::vector<double> achieved;
  std::vector<std::string> skipped;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Graph& graph = run.model.graph;
    const auto mask = checkpoint.masks.find(graph.value(run.layers[i].weight).name);
    achieved.push_back(mask == checkpoint.masks.end() ? 0 : mask->second.Sparsity());
    skipped.push_back(layers[i].skipped);
    checkpoint.layers.push_back(
        {layers[i].name, layers[i].requested, achieved.back(), layers[i].skipped});
  }
  checkpoint.requested_sparsity = run.levels[level] / 100;
  checkpoint.achieved_sparsity = SumSparsity(run.layers, skipped, achieved).selected;
}

void RecordHistory(const PreparedRun& run, size_t level, const MaskGenerator& generator,
                   Checkpoint& checkpoint) {
  const auto add = [&](std::string action) {
    checkpoint.history.push_back({UtcNow(), std::string(Version()), std::move(action)});
  };
  add(fmt::format("pruned {} % with {} from {}", FormatPercent(run.levels[level]), generator.type(),
                  run.network));
  if (run.calibration && run.config.sparsity.reconstruction) add(DescribeRepair(run));
}

}  // namespace

Checkpoint PruneLevel(const LevelRequest& request, const MaskGenerator& generator,
                      std::vector<RepairedUnit>& repaired, PhaseClock& clock) {
  const PreparedRun& run = request.run;
  const Checkpoint& start = request.previous != nullptr ? *request.previous : run.model;
  std::vector<PrunedLayer> layers;
  Checkpoint checkpoint =
      clock.Time("masks", [&] { return MaskLevel(run, request.level, generator, start, layers); });
  if (run.calibration && run.config.sparsity.reconstruction) {
    const PartialLevel partial(request.partial_path);
    const int64_t finished = partial.Restore(checkpoint);
    const auto& progressive = run.config.sparsity.progressive;
    const bool previous = progressive && progressive->teacher == "previous";
    repaired = RepairLevel(run, request.level, previous ? start.graph : run.model.graph, checkpoint,
                           finished, request.partial_path, clock);
    BakeMasks(checkpoint.graph, checkpoint.masks);  // a weight that became zero counts as pruned
  }
  RecordSparsity(run, request.level, layers, checkpoint);
  checkpoint.metrics.clear();
  checkpoint.configuration = ResolvedConfig(run.config);
  RecordHistory(run, request.level, generator, checkpoint);
  return checkpoint;
}

void WarnOfMissedTarget(const Checkpoint& checkpoint) {
  constexpr double kTolerance = 0.02;
  const double missed = checkpoint.achieved_sparsity - checkpoint.requested_sparsity;
  if (std::abs(missed) <= kTolerance) return;
  Warn("asked for {:.1f} % sparsity, the masks reach {:.1f} % (layers.csv has each layer)",
       checkpoint.requested_sparsity * 100, checkpoint.achieved_sparsity * 100);
}

}  // namespace sparsify

#include "sparsity/cli/prune_level.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "reconstruction/layer_repair.h"
#include "sparsity/allocation/prune_network.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"
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

double MeanLoss(const std::vector<RepairedUnit>& layers, double RepairedUnit::*loss) {
  double sum = 0;
  int64_t count = 0;
  for (const RepairedUnit& layer : layers) {
    if (!layer.unrepaired.empty()) continue;
    sum += layer.*loss;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : 0;
}

void RepairLevel(const PreparedRun& run, size_t level, Graph& graph,
                 std::map<std::string, Mask>& masks) {
  const auto start = std::chrono::steady_clock::now();
  const ReconstructionOptions& chosen = *run.config.sparsity.reconstruction;
  LayerRepairOptions options;
  options.damping = chosen.damping;
  options.max_positions = chosen.max_positions;
  options.memory_limit_mb = chosen.memory_limit;
  const std::string title = fmt::format("repair {} %", FormatPercent(run.levels[level]));
  const auto reports = RepairLayers({.student = graph,
                                     .teacher = run.model.graph,
                                     .masks = masks,
                                     .layers = run.layers,
                                     .calibration = *run.calibration,
                                     .seed = static_cast<uint64_t>(run.config.seed),
                                     .title = title},
                                    options)
                           .units;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  Note(
      "{} %: repaired {} of {} masked layers in {}; mean layer error {:.2f} → {:.2f} % of the "
      "variance",
      FormatPercent(run.levels[level]),
      std::count_if(reports.begin(), reports.end(),
                    [](const auto& layer) { return layer.unrepaired.empty(); }),
      reports.size(), FormatSeconds(seconds.count()),
      MeanLoss(reports, &RepairedUnit::loss_before) * 100,
      MeanLoss(reports, &RepairedUnit::loss_after) * 100);
}

}  // namespace

Checkpoint PruneLevel(const PreparedRun& run, size_t level, const MaskGenerator& generator) {
  Checkpoint checkpoint = run.model;
  PrunedNetwork pruned = PruneNetwork(checkpoint.graph, run.layers, run.targets[level], generator,
                                      static_cast<uint64_t>(run.config.seed));
  if (run.config.sparsity.fake_sparse.weight_correction) {
    for (const auto& [name, mask] : pruned.masks) {
      const ValueId weight = checkpoint.graph.FindValue(name);
      CorrectKept(mask, checkpoint.graph.mutable_value(weight).data);
    }
  }
  BakeMasks(checkpoint.graph, pruned.masks);
  if (run.calibration) {
    RepairLevel(run, level, checkpoint.graph, pruned.masks);
    BakeMasks(checkpoint.graph, pruned.masks);  // a weight that became zero counts as pruned
  }
  checkpoint.masks = std::move(pruned.masks);
  checkpoint.layers.clear();
  for (const PrunedLayer& layer : pruned.layers) {
    checkpoint.layers.push_back({layer.name, layer.requested, layer.achieved, layer.skipped});
  }
  checkpoint.metrics.clear();
  checkpoint.requested_sparsity = run.levels[level] / 100;
  checkpoint.achieved_sparsity = pruned.achieved.selected;
  checkpoint.configuration = ResolvedConfig(run.config);
  checkpoint.history.push_back(
      {UtcNow(), std::string(Version()),
       fmt::format("pruned {} % with {} from {}", FormatPercent(run.levels[level]),
                   generator.type(), run.network)});
  if (run.calibration) {
    checkpoint.history.push_back(
        {UtcNow(), std::string(Version()),
         fmt::format("repaired by least squares on {} images of {}", run.calibration->size(),
                     run.config.data.calibration->path)});
  }
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

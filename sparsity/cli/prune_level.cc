#include "sparsity/cli/prune_level.h"

#include <chrono>
#include <cmath>
#include <ctime>

#include "sparsity/allocation/prune_network.h"
#include "sparsity/base/log.h"
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

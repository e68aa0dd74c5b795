#include "sparsity/cli/prune_level.h"

#include <cmath>

#include "sparsity/allocation/prune_network.h"
#include "sparsity/base/log.h"
#include "sparsity/cli/level_checkpoint.h"
#include "sparsity/cli/network.h"
#include "sparsity/cli/partial_level.h"
#include "sparsity/cli/repair_level.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/mask/fake_sparse.h"

namespace sparsify {
namespace {

/// The network that a level starts from, with new masks baked in.
Checkpoint MaskLevel(const PreparedRun& run, size_t level, const MaskGenerator& generator,
                     const Checkpoint& start) {
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
  return checkpoint;
}

void RecordHistory(const PreparedRun& run, size_t level, const MaskGenerator& generator,
                   Checkpoint& checkpoint) {
  AddHistory(fmt::format("pruned {} % with {} from {}", FormatPercent(run.levels[level]),
                         generator.type(), run.network),
             checkpoint);
  if (run.calibration && run.config.sparsity.reconstruction)
    AddHistory(DescribeRepair(run), checkpoint);
}

}  // namespace

Checkpoint PruneLevel(const LevelRequest& request, const MaskGenerator& generator,
                      std::vector<RepairedUnit>& repaired, PhaseClock& clock) {
  const PreparedRun& run = request.run;
  const Checkpoint& start = request.previous != nullptr ? *request.previous : run.model;
  Checkpoint checkpoint =
      clock.Time("masks", [&] { return MaskLevel(run, request.level, generator, start); });
  if (run.calibration && run.config.sparsity.reconstruction) {
    const PartialLevel partial(request.partial_path);
    PartialState state = partial.Restore(checkpoint);
    const auto& progressive = run.config.sparsity.progressive;
    const bool previous = progressive && progressive->teacher == "previous";
    repaired = RepairLevel(run, request.level, previous ? start.graph : run.model.graph, checkpoint,
                           std::move(state), request.partial_path, clock);
    BakeMasks(checkpoint.graph, checkpoint.masks);  // a weight that became zero counts as pruned
  }
  RecordSparsity(run, request.level, checkpoint);
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

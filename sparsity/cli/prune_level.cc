#include "sparsity/cli/prune_level.h"

#include <chrono>
#include <cmath>
#include <ctime>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
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

/// Masks one layer; returns the number of zeros in its baked weight.
int64_t PruneLayer(const PreparedRun& run, size_t index, double sparsity,
                   const std::shared_ptr<const MaskGenerator>& generator, Checkpoint& checkpoint) {
  const Layer& layer = run.layers[index];
  const MaskContext context = {layer.name, layer.groups, static_cast<uint64_t>(run.config.seed),
                               static_cast<uint64_t>(index)};
  Value& value = checkpoint.graph.mutable_value(layer.weight);
  FakeSparse fake(std::move(value.data), generator, sparsity, context,
                  run.config.sparsity.fake_sparse);
  fake.Forward();
  fake.Bake();
  const int64_t pruned = fake.mask().CountPruned();
  value.data = std::move(fake.latent());
  checkpoint.masks.insert_or_assign(value.name, fake.mask());
  return pruned;
}

}  // namespace

Checkpoint PruneLevel(const PreparedRun& run, size_t level,
                      const std::shared_ptr<const MaskGenerator>& generator) {
  Checkpoint checkpoint = run.model;
  checkpoint.layers.clear();
  checkpoint.metrics.clear();
  int64_t weights = 0;
  int64_t pruned = 0;
  for (size_t i = 0; i < run.layers.size(); ++i) {
    ThrowIfInterrupted();
    const Layer& layer = run.layers[i];
    const LayerTarget& target = run.targets[level][i];
    LayerSparsity row = {layer.name, target.sparsity, 0, target.skipped};
    if (target.skipped.empty()) {
      const int64_t zeros = PruneLayer(run, i, target.sparsity, generator, checkpoint);
      row.achieved = static_cast<double>(zeros) / static_cast<double>(layer.parameters);
      pruned += zeros;
      weights += layer.parameters;
    } else {
      row.requested = 0;
    }
    checkpoint.layers.push_back(std::move(row));
  }
  checkpoint.requested_sparsity = run.levels[level] / 100;
  checkpoint.achieved_sparsity = static_cast<double>(pruned) / static_cast<double>(weights);
  checkpoint.configuration = ResolvedConfig(run.config);
  checkpoint.history.push_back(
      {UtcNow(), std::string(Version()),
       fmt::format("pruned {} % with {} from {}", FormatPercent(run.levels[level]),
                   generator->type(), run.network)});
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

#include "sparsity/cli/level_checkpoint.h"

#include <chrono>
#include <ctime>
#include <utility>

#include "sparsity/cli/version.h"

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

void RecordSparsity(const PreparedRun& run, size_t level, Checkpoint& checkpoint) {
  checkpoint.layers.clear();
  std::vector<double> achieved;
  std::vector<std::string> skipped;
  for (size_t i = 0; i < run.layers.size(); ++i) {
    const LayerTarget& target = run.targets[level][i];
    const auto mask = checkpoint.masks.find(run.model.graph.value(run.layers[i].weight).name);
    achieved.push_back(mask == checkpoint.masks.end() ? 0 : mask->second.Sparsity());
    skipped.push_back(target.skipped);
    checkpoint.layers.push_back(
        {run.layers[i].name, target.sparsity, achieved.back(), target.skipped});
  }
  checkpoint.requested_sparsity = run.levels[level] / 100;
  checkpoint.achieved_sparsity = SumSparsity(run.layers, skipped, achieved).selected;
}

void AddHistory(std::string action, Checkpoint& checkpoint) {
  checkpoint.history.push_back({UtcNow(), std::string(Version()), std::move(action)});
}

}  // namespace sparsify

#include "sparsity/cli/partial_level.h"

#include <filesystem>
#include <utility>

#include "reconstruction/phase_timer.h"
#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

constexpr const char* kFinished = "finished_units";

}  // namespace

int64_t PartialLevel::Restore(Checkpoint& checkpoint) const {
  if (!std::filesystem::exists(path_)) return 0;
  try {
    Checkpoint stored = LoadCheckpoint(path_);
    const auto finished = stored.metrics.find(kFinished);
    if (finished == stored.metrics.end()) Fail(path_, "no \"{}\" in it", kFinished);
    checkpoint.graph = std::move(stored.graph);
    checkpoint.masks = std::move(stored.masks);
    return static_cast<int64_t>(finished->second);
  } catch (const Error& error) {
    Warn("{}; this level is repaired from its beginning", error.what());
    return 0;
  }
}

void PartialLevel::Save(const Checkpoint& checkpoint, int64_t finished, bool force) {
  constexpr double kShare = 20;
  if (failed_ || (!force && SecondsSince(last_) < kShare * cost_)) return;
  const auto start = Clock::now();
  Checkpoint state;
  state.graph = checkpoint.graph;
  state.masks = checkpoint.masks;
  state.metrics[kFinished] = static_cast<double>(finished);
  try {
    SaveCheckpoint(state, path_);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInterrupted) throw;
    Warn("{}; the repair goes on, but could not be resumed within this level", error.what());
    failed_ = true;
  }
  last_ = Clock::now();
  cost_ = SecondsSince(start);
}

void PartialLevel::Remove() const { RemoveFile(path_); }

}  // namespace sparsify

#include "sparsity/cli/partial_level.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "reconstruction/phase_timer.h"
#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "sparsity/base/options_print.h"
#include "sparsity/base/options_yaml.h"

namespace sparsify {
namespace {

/// A PartialState as text: the units' members one list each.
struct StoredState {
  std::optional<int64_t> finished;
  bool repaired = false;
  std::vector<std::string> names;
  std::vector<double> before;
  std::vector<double> after;
  std::vector<int64_t> steps;
  std::vector<int64_t> samples;
  std::vector<double> seconds;
  std::vector<std::string> remarks;
  std::vector<std::string> unrepaired;

  void VisitFields(OptionVisitor& v) {
    v.Field("finished_units", finished, {.min = 0}, "number of units");
    v.Field("repaired", repaired, "whether only the polish is missing");
    v.Field("names", names, "of the units");
    v.Field("before", before, "errors");
    v.Field("after", after, "errors");
    v.Field("steps", steps, "of an optimiser");
    v.Field("samples", samples, "used");
    v.Field("seconds", seconds, "taken");
    v.Field("remarks", remarks, "or empty");
    v.Field("unrepaired", unrepaired, "why, or empty");
  }
};

std::string StateText(const PartialState& state) {
  StoredState stored;
  stored.finished = state.finished;
  stored.repaired = state.repaired;
  for (const RepairedUnit& unit : state.units) {
    stored.names.push_back(unit.name);
    stored.before.push_back(unit.loss_before);
    stored.after.push_back(unit.loss_after);
    stored.steps.push_back(unit.steps);
    stored.samples.push_back(unit.samples);
    stored.seconds.push_back(unit.seconds);
    stored.remarks.push_back(unit.remark);
    stored.unrepaired.push_back(unit.unrepaired);
  }
  return ResolvedYaml(Fields(stored));
}

PartialState ParseState(const std::string& text, const std::string& path) {
  StoredState stored;
  OptionsDocument::FromText(text, path).Read(stored);
  if (!stored.finished) Fail(path, "no \"finished_units\" in it");
  const size_t count = stored.names.size();
  for (const size_t size :
       {stored.before.size(), stored.after.size(), stored.steps.size(), stored.samples.size(),
        stored.seconds.size(), stored.remarks.size(), stored.unrepaired.size()}) {
    if (size != count) Fail(path, "lists of {} and {} units", count, size);
  }
  PartialState state = {*stored.finished, {}, stored.repaired};
  for (size_t i = 0; i < count; ++i) {
    state.units.push_back({stored.names[i], stored.before[i], stored.after[i], stored.steps[i],
                           stored.samples[i], stored.seconds[i], stored.remarks[i],
                           stored.unrepaired[i]});
  }
  return state;
}

}  // namespace

void SaveClock::Save(bool force, std::string_view loss, const std::function<void()>& write) {
  constexpr double kShare = 20;
  if (failed_ || (!force && SecondsSince(last_) < kShare * cost_)) return;
  const auto start = Clock::now();
  try {
    write();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInterrupted) throw;
    Warn("{}; {}", error.what(), loss);
    failed_ = true;
  }
  last_ = Clock::now();
  cost_ = SecondsSince(start);
}

PartialLevel::PartialLevel(std::string path) : path_(std::move(path)) {
  constexpr std::string_view kEnding = ".h5";
  polish_path_ = path_.substr(0, path_.size() - kEnding.size()) + ".polish.h5";
}

PartialState PartialLevel::Restore(Checkpoint& checkpoint) const {
  if (!std::filesystem::exists(path_)) return {};
  try {
    Checkpoint stored = LoadCheckpoint(path_);
    PartialState state = ParseState(stored.configuration, path_ + ":/configuration");
    checkpoint.graph = std::move(stored.graph);
    checkpoint.masks = std::move(stored.masks);
    return state;
  } catch (const Error& error) {
    Warn("{}; this level is repaired from its beginning", error.what());
    return {};
  }
}

void PartialLevel::Save(const Checkpoint& checkpoint, const PartialState& partial, bool force) {
  clock_.Save(force, "the repair goes on, but could not be resumed within this level", [&] {
    Checkpoint state;
    state.graph = checkpoint.graph;
    state.masks = checkpoint.masks;
    state.configuration = StateText(partial);
    SaveCheckpoint(state, path_);
  });
}

std::optional<TrainingState> PartialLevel::RestorePolish() const {
  if (!std::filesystem::exists(polish_path_)) return std::nullopt;
  try {
    return LoadTrainingState(polish_path_);
  } catch (const Error& error) {
    Warn("{}; this level is polished from the beginning", error.what());
    return std::nullopt;
  }
}

void PartialLevel::SavePolish(const std::function<TrainingState()>& state, bool force) {
  polish_clock_.Save(force, "the polish goes on, but could not be resumed",
                     [&] { SaveTrainingState(state(), polish_path_); });
}

void PartialLevel::RemovePolish() const { RemoveFile(polish_path_); }

void PartialLevel::Remove() const {
  RemoveFile(path_);
  RemovePolish();
}

}  // namespace sparsify

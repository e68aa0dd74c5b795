#include "sparsity/cli/run_folder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "sparsity/base/options_print.h"
#include "sparsity/base/options_yaml.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;

enum class FolderState { kNew, kResumed, kReplaced, kTakenOver };

std::string IdentityPath(const RunFiles& files) { return files.folder() + "/records/run.yaml"; }

std::optional<RunIdentity> ReadIdentity(const RunFiles& files) {
  if (!fs::exists(IdentityPath(files))) return std::nullopt;
  RunIdentity stored;
  OptionsDocument::FromFile(IdentityPath(files)).Read(stored);
  return stored;
}

/// Empty folders are what a run leaves that found the disk full.
bool IsEmptyOrMissing(const std::string& folder) {
  std::error_code error;
  constexpr auto kOptions = fs::directory_options::skip_permission_denied;
  for (const auto& entry : fs::recursive_directory_iterator(folder, kOptions, error)) {
    if (!entry.is_directory(error)) return false;
  }
  return true;
}

int64_t CountFinished(const RunFiles& files, const std::vector<double>& levels) {
  return std::ssize(levels) - std::ssize(LevelsToMake(files, levels, true));
}

/// A run that failed before anything was finished: its identity is all that it has recorded.
bool HoldsNothing(const RunFiles& files) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(files.folder() + "/records", error)) {
    if (entry.path() != fs::path(IdentityPath(files))) return false;
  }
  return !error && IsEmptyOrMissing(files.folder() + "/checkpoints") &&
         !fs::exists(files.Report()) && !fs::exists(files.Sensitivity());
}

void RefuseFile(const std::string& folder) {
  if (!fs::exists(folder) || fs::is_directory(folder)) return;
  FailUsage(folder, "exists and is not a folder; choose another with --output DIR");
}

FolderState Inspect(const RunFiles& files, const RunIdentity& identity,
                    const std::vector<double>& levels, bool resume) {
  const std::string& folder = files.folder();
  RefuseFile(folder);
  const std::string obstacle = WriteObstacle(folder);
  if (!obstacle.empty()) {
    FailUsage(folder, "cannot be written ({}); choose another folder with --output DIR", obstacle);
  }
  if (IsEmptyOrMissing(folder)) {
    if (resume) Note("{}: nothing to resume, starting anew", folder);
    return FolderState::kNew;
  }
  const auto stored = ReadIdentity(files);
  if (!stored) {
    FailUsage(folder,
              "not empty and not the output of a run; choose another folder with "
              "--output DIR");
  }
  const std::string difference = DescribeDifference(*stored, identity);
  if (!difference.empty() && HoldsNothing(files)) return FolderState::kTakenOver;
  if (!difference.empty()) {
    FailUsage(folder,
              "holds another run: {}; choose another folder with --output DIR, or remove "
              "this one",
              difference);
  }
  if (resume) return FolderState::kResumed;
  if (!fs::exists(files.Report())) {
    FailUsage(folder,
              "holds an unfinished run of this configuration ({} of {} sparsities done); "
              "continue it with --resume, or choose another folder with --output DIR",
              CountFinished(files, levels), levels.size());
  }
  return FolderState::kReplaced;
}

/// What a run that was killed has left half written.
void RemoveAbandoned(const RunFiles& files) {
  int64_t count = 0;
  for (const char* part : {"", "/records", "/checkpoints", "/analysis"}) {
    count += RemoveAbandonedFiles(files.folder() + part);
  }
  if (count == 0) return;
  Note("{}: {} removed that an earlier run left half written", files.folder(),
       count == 1 ? "1 file" : fmt::format("{} files", count));
}

/// What a budget of time has left; checkpoints too, whose names follow from what was measured.
void RemoveTimed(const RunFiles& files) {
  fs::remove(files.LayerTimes());
  if (!fs::remove(files.Targets())) return;
  fs::remove_all(files.folder() + "/checkpoints");
  for (const auto& entry : fs::directory_iterator(files.folder())) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("target_sparsity_") && name.ends_with(".csv")) fs::remove(entry.path());
  }
}

/// Checkpoints of an earlier sweep are work that somebody may want; they are not this run's.
void NoteOtherCheckpoints(const RunFiles& files, const std::vector<double>& levels) {
  const fs::path folder = files.folder() + "/checkpoints";
  std::error_code none;
  std::vector<std::string> others;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const bool mine = std::any_of(levels.begin(), levels.end(), [&](double level) {
      return fs::path(files.Checkpoint(level)).filename() == entry.path().filename();
    });
    if (!mine) others.push_back(entry.path().filename().string());
  }
  if (others.empty()) return;
  std::sort(others.begin(), others.end());
  Note("{}: {} of an earlier sweep {}; no table of this run speaks of {}", folder.string(),
       fmt::join(others, ", "), others.size() == 1 ? "stays" : "stay",
       others.size() == 1 ? "it" : "them");
}

}  // namespace

std::string FormatPercent(double percent) { return fmt::format("{}", percent); }

std::string RunFiles::Checkpoint(double percent) const {
  return fmt::format("{}/checkpoints/sparsity_{}.h5", folder_, FormatPercent(percent));
}

std::string RunFiles::LearnedSparsity(double percent) const {
  return fmt::format("{}/learned_sparsity_{}.csv", folder_, FormatPercent(percent));
}

std::string RunFiles::Events(double percent) const {
  if (percent == 0) return Events() + "/dense";
  return fmt::format("{}/sparsity_{}", Events(), FormatPercent(percent));
}

std::string RunFiles::TargetSparsity(double target) const {
  return fmt::format("{}/target_sparsity_{}.csv", folder_, FormatPercent(target));
}

std::string RunFiles::TrainingState(double percent) const {
  return fmt::format("{}/records/training_{}.h5", folder_, FormatPercent(percent));
}

std::string RunFiles::Partial(double percent) const {
  return fmt::format("{}/records/sparsity_{}.partial.h5", folder_, FormatPercent(percent));
}

std::string RunFiles::Unmeasured(double percent) const {
  if (percent == 0) return folder_ + "/records/dense.unmeasured.yaml";
  return fmt::format("{}/records/sparsity_{}.unmeasured.yaml", folder_, FormatPercent(percent));
}

std::string RunFiles::Record(double percent) const {
  if (percent == 0) return folder_ + "/records/dense.yaml";
  return fmt::format("{}/records/sparsity_{}.yaml", folder_, FormatPercent(percent));
}

std::vector<double> LevelsToMake(const RunFiles& files, std::vector<double> levels, bool resume) {
  if (resume) std::erase_if(levels, [&](double level) { return fs::exists(files.Record(level)); });
  return levels;
}

std::string CheckRunFolder(const RunFiles& files, const RunIdentity& identity,
                           const std::vector<double>& levels, bool resume) {
  switch (Inspect(files, identity, levels, resume)) {
    case FolderState::kNew:
      return "new";
    case FolderState::kResumed:
      return fmt::format("resumed, {} of {} sparsities done", CountFinished(files, levels),
                         levels.size());
    case FolderState::kReplaced:
      return "replaces a finished run of the same configuration";
    case FolderState::kTakenOver:
      return "replaces another run that has finished nothing";
  }
  return "";
}

std::unique_ptr<DirectoryLock> OpenRunFolder(const RunFiles& files, const RunConfig& config,
                                             const RunIdentity& identity,
                                             const std::vector<double>& levels, bool resume) {
  RefuseFile(files.folder());
  MakeDirectories(files.folder());
  auto lock = std::make_unique<DirectoryLock>(files.folder());
  const FolderState state = Inspect(files, identity, levels, resume);
  RemoveAbandoned(files);
  if (state == FolderState::kReplaced || state == FolderState::kTakenOver) {
    Note("{}: replacing {}", files.folder(),
         state == FolderState::kReplaced ? "the finished run of the same configuration"
                                         : "another run that has finished nothing");
    fs::remove(files.Report());
    fs::remove(files.Sensitivity());
    for (const double level : levels) fs::remove(files.LearnedSparsity(level));
    fs::remove_all(files.Events());
    RemoveTimed(files);
    fs::remove_all(files.folder() + "/records");
    NoteOtherCheckpoints(files, levels);
  }
  MakeDirectories(files.folder() + "/records");
  MakeDirectories(files.folder() + "/checkpoints");
  RunIdentity stored = identity;
  WriteFileAtomically(IdentityPath(files), ResolvedYaml(Fields(stored)));
  WriteFileAtomically(files.Resolved(), ResolvedConfig(config));
  return lock;
}

}  // namespace sparsify

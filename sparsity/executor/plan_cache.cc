#include "sparsity/executor/plan_cache.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/hash.h"
#include "sparsity/base/log.h"
#include "sparsity/base/processor.h"
#include "sparsity/executor/bandwidth.h"
#include "sparsity/graph/hash_graph.h"
#include "sparsity/ops/onednn.h"

namespace sparsify {
namespace {

constexpr std::string_view kHeader = "sparsify plan 3\n";
constexpr std::string_view kEnd = "end";
constexpr int64_t kMaxBytes = 16 << 20;
constexpr size_t kFields = 5;

/// A step's line: candidate, winograd, the two times, reason.
std::string Line(bool winograd, const StepChoice& choice) {
  return fmt::format("{}\t{}\t{}\t{}\t{}\n", choice.candidate, winograd ? 1 : 0, choice.dense_ms,
                     choice.time_ms, choice.reason);
}

std::vector<std::string> Fields(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line + '\t');
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
  return fields;
}

bool ParseTime(const std::string& text, double& ms) {
  char* end = nullptr;
  ms = std::strtod(text.c_str(), &end);
  return end != text.c_str() && *end == '\0' && ms >= 0 && ms < 1e9;
}

/// False when the line is none.
bool ParseLine(const std::string& line, FusedStep& step, StepChoice& choice) {
  const std::vector<std::string> fields = Fields(line);
  if (fields.size() != kFields || (fields[1] != "0" && fields[1] != "1")) return false;
  choice.candidate = fields[0];
  step.winograd = fields[1] == "1";
  choice.reason = fields[4];
  return ParseTime(fields[2], choice.dense_ms) && ParseTime(fields[3], choice.time_ms);
}

}  // namespace

PlanCache::PlanCache(const Graph& graph, const PlanOptions& options, Isa isa)
    : folder_(options.cache_folder) {
  if (folder_.empty() || !options.tune || !(options.allow_sparse || options.winograd)) return;
  key_ = fmt::format(
      "sparsify {}\noneDNN {}\nprocessor {}\ninstructions {}\nnetwork {}\nbatch {}\nthreads {}\n"
      "sparse {}\nmin_sparsity {}\nwinograd {}\ncache {}\n",
      SPARSIFY_VERSION, OnednnVersion(), ProcessorName(), IsaName(isa), HashGraph(graph),
      options.batch, options.threads, options.allow_sparse, options.min_sparsity, options.winograd,
      options.cache_bytes > 0 ? options.cache_bytes : PrivateCacheBytes());
  Fnv1a hash;
  hash.Text(key_);
  path_ = fmt::format("{}/{}.plan", folder_, hash.Hex());
}

std::string PlanCache::Text(const std::vector<bool>& winograd,
                            const std::vector<StepChoice>& choices) const {
  std::string text = fmt::format("{}{}steps {}\n", kHeader, key_, choices.size());
  for (size_t s = 0; s < choices.size(); ++s) text += Line(winograd[s], choices[s]);
  return fmt::format("{}{}\n", text, kEnd);
}

bool PlanCache::Read(FusedGraph& graph, std::vector<StepChoice>& choices) const {
  std::error_code none;
  if (path_.empty() || !std::filesystem::exists(path_, none)) return false;
  std::string text;
  try {
    text = ReadFile(path_, kMaxBytes);
  } catch (const Error& error) {
    Warn("{}; the plan is made anew", error.what());
    return false;
  }
  const std::string head = fmt::format("{}{}steps {}\n", kHeader, key_, graph.steps.size());
  if (!text.starts_with(head)) {
    Warn("{}: is of another plan or version; the plan is made anew", path_);
    return false;
  }
  std::istringstream lines(text.substr(head.size()));
  std::vector<StepChoice> read(graph.steps.size());
  std::string line;
  for (size_t s = 0; s < read.size(); ++s) {
    if (!std::getline(lines, line) || !ParseLine(line, graph.steps[s], read[s])) {
      Warn("{}: step {} is damaged; the plan is made anew", path_, s + 1);
      for (FusedStep& step : graph.steps) step.winograd = false;
      return false;
    }
  }
  if (!std::getline(lines, line) || line != kEnd) {
    Warn("{}: is cut short; the plan is made anew", path_);
    for (FusedStep& step : graph.steps) step.winograd = false;
    return false;
  }
  choices = std::move(read);
  return true;
}

void PlanCache::Write(const std::vector<bool>& winograd,
                      const std::vector<StepChoice>& choices) const {
  if (path_.empty()) return;
  try {
    MakeDirectories(folder_);
    WriteFileAtomically(path_, Text(winograd, choices));
  } catch (const Error& error) {
    Warn("{}; the plan is not kept for later runs", error.what());
  }
}

std::string UserPlanCacheFolder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/sparsify/plans";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.cache/sparsify/plans";
  return "";
}

}  // namespace sparsify

#include "sparsity/cli/rank_exchange.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <sstream>
#include <thread>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

struct Processors {
  int count = 1;     // that this process may run on
  uint64_t key = 0;  // of the set of them, on this machine
  uint64_t machine = 0;
};

Processors ProcessorsOf() {
  Processors result;
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  result.machine = std::hash<std::string>()(host);
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return result;
  result.count = std::max(1, CPU_COUNT(&set));
  std::string text = host;
  for (int i = 0; i < CPU_SETSIZE; ++i) text += CPU_ISSET(i, &set) ? '1' : '0';
  result.key = std::hash<std::string>()(text);
  return result;
}

int64_t CountOf(Communicator& ranks, uint64_t number) {
  const std::vector<uint64_t> all = ranks.Gather(number);
  return std::count(all.begin(), all.end(), number);
}

std::string PackTargets(const std::vector<std::vector<LayerTarget>>& targets) {
  std::string text = fmt::format("{}\n", targets.size());
  for (const auto& level : targets) {
    text += fmt::format("{}\n", level.size());
    for (const LayerTarget& target : level) {
      text += fmt::format("{:a} {}\n", target.sparsity, target.skipped);
    }
  }
  return text;
}

std::vector<std::vector<LayerTarget>> UnpackTargets(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  const auto count = [&] {
    std::getline(lines, line);
    return std::strtoul(line.c_str(), nullptr, 10);
  };
  std::vector<std::vector<LayerTarget>> targets(count());
  for (auto& level : targets) {
    level.resize(count());
    for (LayerTarget& target : level) {
      std::getline(lines, line);
      const size_t blank = line.find(' ');
      target.sparsity = std::strtod(line.substr(0, blank).c_str(), nullptr);
      target.skipped = line.substr(blank + 1);
    }
  }
  return targets;
}

// Of the benchmark, which asks for more threads than this rank has processors.
void WarnOfBinding(const BenchmarkOptions& benchmark) {
  const int64_t count = ProcessorsOf().count;
  const auto most = std::max_element(benchmark.threads.begin(), benchmark.threads.end());
  if (most == benchmark.threads.end() || *most <= count) return;
  Warn(
      "benchmark.threads: {}, but mpirun has bound this rank to {} processors, so that the times "
      "will be false; use mpirun --bind-to none",
      *most, count);
}

}  // namespace

Sharing SharingOf(const PreparedRun& run) {
  if (run.ranks == nullptr || run.ranks->Size() == 1) return Sharing::kAlone;
  return run.training ? Sharing::kBatches : Sharing::kLevels;
}

void CheckSharing(const PreparedRun& run, const OptionsDocument& document) {
  const Sharing sharing = SharingOf(run);
  if (sharing == Sharing::kAlone) return;
  if (run.config.benchmark) WarnOfBinding(*run.config.benchmark);
  if (sharing == Sharing::kBatches) return;
  if (run.config.sparsity.progressive) {
    FailUsage(document.Where("sparsity.progressive"),
              "each sparsity goes on from the one before, of which {} ranks can share nothing; "
              "start the run without mpirun",
              run.ranks->Size());
  }
  if (run.HasTimeBudget()) {
    FailUsage(document.Where("sparsity.allocation.budget"),
              "\"{}\" times layers and networks, which {} ranks side by side would falsify; start "
              "the run without mpirun",
              run.allocation.budget, run.ranks->Size());
  }
  const auto levels = std::ssize(run.levels);
  if (levels < run.ranks->Size()) {
    Warn("{} sparsities for {} ranks; {} have nothing to do", levels, run.ranks->Size(),
         run.ranks->Size() - levels);
  }
}

std::string DescribeSharing(const PreparedRun& run) {
  switch (SharingOf(run)) {
    case Sharing::kAlone:
      return "";
    case Sharing::kBatches:
      return fmt::format("{} ranks, each computes its part of every batch", run.ranks->Size());
    case Sharing::kLevels:
      return fmt::format("{} ranks, the sparsities are dealt out to them", run.ranks->Size());
  }
  return "";
}

void ShareTargets(Communicator& ranks, std::vector<std::vector<LayerTarget>>& targets) {
  if (ranks.Size() == 1) return;
  const std::string text = ranks.FromFirst(ranks.IsFirst() ? PackTargets(targets) : "");
  if (!ranks.IsFirst()) targets = UnpackTargets(text);
}

void ShareDense(Communicator& ranks, DenseResult& dense) {
  ranks.Broadcast(std::as_writable_bytes(std::span(&dense.top1, 1)));
  auto count = static_cast<uint64_t>(dense.predictions.size());
  ranks.Broadcast(std::as_writable_bytes(std::span(&count, 1)));
  dense.predictions.resize(count);
  ranks.Broadcast(std::as_writable_bytes(std::span(dense.predictions)));
}

int ThreadsOfRank(Communicator& ranks, int wanted) {
  if (ranks.Size() == 1) return wanted;
  const Processors own = ProcessorsOf();
  const int64_t sharing = CountOf(ranks, own.key);
  const int64_t here = CountOf(ranks, own.machine);
  if (wanted > 0) return wanted;
  const int64_t machine = sysconf(_SC_NPROCESSORS_ONLN);
  if (sharing == 1 && here * own.count < machine) {
    Note(
        "every rank is bound to {} of this machine's {} processors, as mpirun does by itself; with "
        "mpirun --bind-to none the ranks share them all",
        own.count, machine);
  }
  return static_cast<int>(std::max<int64_t>(1, own.count / sharing));
}

void AwaitFile(const std::string& path) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::seconds(90);
  while (!std::filesystem::exists(path)) {
    ThrowIfInterrupted();
    if (Clock::now() > deadline) {
      Fail(path,
           "missing; another rank has written it: the run's folder must be one that the machines "
           "of all ranks see");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

bool FirstSees(const PreparedRun& run, const std::string& path) {
  if (run.ranks == nullptr || run.ranks->Size() == 1) return std::filesystem::exists(path);
  const bool is_there = run.ranks->FirstDecides(run.IsFirst() && std::filesystem::exists(path));
  if (is_there) AwaitFile(path);
  return is_there;
}

}  // namespace sparsify

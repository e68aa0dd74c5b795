#include "sparsity/executor/stream_timing.h"

#include <algorithm>
#include <utility>

#include "sparsity/base/interrupt.h"

namespace sparsify {
namespace {

Timing Summary(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const size_t n = times.size();
  const double median = n % 2 == 1 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2;
  return {times.front(), median};
}

}  // namespace

StreamPlans::StreamPlans(const Graph& graph, const PlanOptions& options, int streams) {
  const auto count = static_cast<size_t>(streams);
  plans_.reserve(count);
  batches_.reserve(count);
  plans_.emplace_back(graph, options);
  while (plans_.size() < count) {
    ThrowIfInterrupted();
    plans_.emplace_back(graph, plans_.front());
  }
  for (const Plan& plan : plans_) batches_.emplace_back(plan);
}

PlanReport StreamPlans::Report() const {
  PlanReport report = plan().report();
  const auto streams = static_cast<int64_t>(plans_.size());
  report.constant_bytes *= streams;
  report.arena_bytes *= streams;
  return report;
}

double StreamPlans::Run(ThreadTeam& team, int64_t runs) {
  const double seconds = team.Run([&](int stream) {
    const auto s = static_cast<size_t>(stream);
    for (int64_t run = 0; run < runs && !InterruptRequested(); ++run) {
      plans_[s].Run(batches_[s].in, batches_[s].out);
    }
  });
  return 1e3 * seconds / static_cast<double>(runs);
}

std::vector<Timing> TimeInTurns(const std::vector<StreamPlans*>& sides, int streams,
                                int64_t repetitions) {
  constexpr int64_t kRunsOfManyStreams = 5;
  const int64_t wanted = std::max<int64_t>(1, repetitions);
  const int64_t runs = streams == 1 ? 1 : std::min(wanted, kRunsOfManyStreams);
  ThreadTeam team(streams);
  std::vector<std::vector<double>> times(sides.size());
  for (StreamPlans* side : sides) side->Run(team, 1);
  for (int64_t done = 0; done < wanted; done += runs) {
    for (size_t i = 0; i < sides.size(); ++i) {
      times[i].push_back(sides[i]->Run(team, runs));
      ThrowIfInterrupted();
    }
  }
  std::vector<Timing> timings;
  for (std::vector<double>& of_side : times) timings.push_back(Summary(std::move(of_side)));
  return timings;
}

}  // namespace sparsify

#include "sparsity/cli/phase_clock.h"

#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>

#include "sparsity/base/text.h"

namespace sparsify {

void PhaseClock::Add(const std::string& phase, double seconds) {
  constexpr double kNothing = 1e-4;  // a phase that this run does not have
  if (seconds < kNothing) return;
  const auto known = std::find_if(phases_.begin(), phases_.end(),
                                  [&](const auto& item) { return item.first == phase; });
  if (known != phases_.end()) {
    known->second += seconds;
  } else {
    phases_.emplace_back(phase, seconds);
  }
}

void PhaseClock::Add(const std::string& prefix, const std::map<std::string, double>& seconds) {
  for (const auto& [phase, time] : seconds) Add(prefix + ": " + phase, time);
}

std::string PhaseClock::Describe() const {
  constexpr double kNegligible = 0.01;
  auto sorted = phases_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  double total = 0;
  for (const auto& [phase, seconds] : sorted) total += seconds;
  std::vector<std::string> parts;
  for (const auto& [phase, seconds] : sorted) {
    if (seconds >= kNegligible * total) {
      parts.push_back(fmt::format("{} {}", phase, FormatSeconds(seconds)));
    }
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

int64_t PeakMemory() {
  rusage usage = {};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return usage.ru_maxrss * int64_t{1024};
}

}  // namespace sparsify

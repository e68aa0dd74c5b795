// Where time goes: the wall time of a scope, added to a phase of RepairResult::seconds.
#pragma once

#include <chrono>
#include <map>
#include <string>

namespace sparsify {

class PhaseTimer {
 public:
  /// Keeps a reference into `seconds`.
  PhaseTimer(std::map<std::string, double>& seconds, const std::string& phase)
      : total_(seconds[phase]) {}
  ~PhaseTimer() { total_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& total_;
  const Clock::time_point start_ = Clock::now();
};

}  // namespace sparsify

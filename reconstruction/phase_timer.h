// Where time goes: the wall time of a scope, added to a phase of RepairResult::seconds.
#pragma once

#include <chrono>
#include <map>
#include <string>

namespace sparsify {

inline double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Adds the time of its life to a total.
class PhaseTimer {
 public:
  /// Keeps a reference into `seconds`.
  PhaseTimer(std::map<std::string, double>& seconds, const std::string& phase)
      : PhaseTimer(seconds[phase]) {}
  explicit PhaseTimer(double& total) : total_(total) {}
  ~PhaseTimer() { total_ += SecondsSince(start_); }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  double& total_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace sparsify

// Where the time of a run goes: wall seconds by phase, in the order of their first use.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sparsify {

class PhaseClock {
 public:
  /// Runs `body` and adds its wall time to `phase`. What it throws passes through.
  template <class Body>
  auto Time(const std::string& phase, const Body& body) {
    struct Stop {
      PhaseClock& clock;
      const std::string& phase;
      const Clock::time_point start = Clock::now();
      ~Stop() { clock.Add(phase, std::chrono::duration<double>(Clock::now() - start).count()); }
    } stop{*this, phase};
    return body();
  }

  /// Less than a tenth of a millisecond is nothing and leaves no row.
  void Add(const std::string& phase, double seconds);
  /// Adds every phase of `seconds` as "prefix: phase".
  void Add(const std::string& prefix, const std::map<std::string, double>& seconds);

  const std::vector<std::pair<std::string, double>>& phases() const { return phases_; }

  /// "evaluate 28 s, repair: solve 12 s", the longest first; phases below a hundredth of the whole
  /// are left out.
  std::string Describe() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::vector<std::pair<std::string, double>> phases_;
};

/// The most memory this process has had resident so far, bytes; 0 where the system does not say.
int64_t PeakMemory();

}  // namespace sparsify

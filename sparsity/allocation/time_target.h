// Meeting a speed-up or a latency: solve on the model of the layers' times, time the true plan,
// correct the model, and solve again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sparsity/allocation/time_budget.h"

namespace sparsify {

/// What is asked for.
struct TimeTarget {
  enum class Kind { kSpeedup, kLatency };
  Kind kind = Kind::kSpeedup;
  double value = 0;  // dense time over time, above 1; or milliseconds

  /// "speed-up 1.5", "12 ms".
  std::string ToString() const;
};

/// Of one network, both plans timed side by side.
struct MeasuredTimes {
  double dense_ms = 0;
  double ms = 0;
};

struct TargetOptions {
  double tolerance = 0.03;  // accepted distance from the time asked for, fraction
  int64_t rounds = 5;       // at most
};

struct TargetSolution {
  TimeSolution solution;    // `ms` by the model alone
  double correction = 1;    // of the saving, when it was solved
  double predicted_ms = 0;  // on the clock of `measured`
  double predicted_speedup = 1;
  MeasuredTimes measured;
  int64_t rounds = 0;

  double MeasuredSpeedup() const { return measured.dense_ms / measured.ms; }
};

/// Solves for `target`, lets `measure` time the network pruned so, and stops when that is within
/// the tolerance. Otherwise the model is corrected and solved again: the time that pruning saves
/// is taken to be the modelled saving times the last round's ratio of true to modelled saving (at
/// most doubled or halved a round); once one round was too slow and one too fast, the next is
/// aimed between the nearest two. Of all rounds the nearest one counts, which is warned about when
/// it misses the target. Times are compared as parts of the dense time beside them, so that a
/// machine that is slower for a while does not matter to a speed-up; for a latency the dense
/// network is timed first. Each round is a line of the log. `correction` is the ratio that earlier
/// targets have taught, 1 at first, and is updated.
///
/// Throws Error when every layer at its fastest, timed, misses the target: the message has the
/// greatest speed-up (least time) that was reached; and when the dense network meets it already.
TargetSolution MeetTarget(
    const TimeModel& model, const TimeTarget& target, const TargetOptions& options,
    const std::function<MeasuredTimes(const std::vector<double>& sparsity)>& measure,
    double& correction);

}  // namespace sparsify

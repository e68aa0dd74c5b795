#include "sparsity/allocation/time_target.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

using Measure = std::function<MeasuredTimes(const std::vector<double>& sparsity)>;

class Search {
 public:
  Search(const TimeModel& model, const TimeTarget& target, const TargetOptions& options)
      : model_(model), target_(target), options_(options), dense_ms_(model.dense_ms()) {}

  TargetSolution Run(const Measure& measure, double& correction) {
    if (target_.kind == TimeTarget::Kind::kLatency) LearnPace(measure);
    for (int64_t round = 1; round <= options_.rounds; ++round) {
      TargetSolution now = Solve(correction);
      if (NothingPruned(now)) {
        if (best_) break;  // less than the last round would be nothing
        if (Goal() < model_.fastest_ms()) FailNothingFaster();
        if (correction <= 1) FailNeedsNothing();
        correction = 1;  // other targets have taught too much
        continue;
      }
      now.rounds = round;
      now.measured = measure(now.solution.sparsity);
      Predict(now);
      NoteRound(now);
      if (!best_ || std::abs(Miss(now)) < std::abs(Miss(*best_))) best_ = now;
      if (std::abs(Miss(now)) <= options_.tolerance) break;
      if (Miss(now) > 0 && IsFastest(now)) FailUnreachable(now);
      Learn(now, correction);
    }
    Learn(*best_, correction);
    WarnOfMiss();
    return *best_;
  }

 private:
  /// What was solved for and what came of it, both on the model's clock.
  struct Round {
    double model_ms = 0;
    double true_ms = 0;
  };

  /// The time asked for, on the model's clock.
  double Goal() const {
    return target_.kind == TimeTarget::Kind::kSpeedup ? dense_ms_ / target_.value
                                                      : target_.value * clock_;
  }

  /// Between a solution that was too slow and one that was too fast, if there are both; else as
  /// the last one teaches.
  TargetSolution Solve(double correction) const {
    double limit = dense_ms_ - (dense_ms_ - Goal()) / correction;
    if (slow_ && fast_) {
      const double share = (Goal() - fast_->true_ms) / (slow_->true_ms - fast_->true_ms);
      limit = fast_->model_ms + share * (slow_->model_ms - fast_->model_ms);
    }
    TargetSolution now;
    now.solution = model_.Solve(std::max(limit, model_.fastest_ms()));
    now.correction = limit < dense_ms_ ? (dense_ms_ - Goal()) / (dense_ms_ - limit) : correction;
    return now;
  }

  /// What the corrected model says of a solution, on the clock of its measurement.
  void Predict(TargetSolution& now) const {
    const double saved = now.correction * (dense_ms_ - now.solution.ms);
    const double ms = std::max(dense_ms_ - saved, dense_ms_ / 100);
    now.predicted_speedup = dense_ms_ / ms;
    now.predicted_ms = ms * now.measured.dense_ms / dense_ms_;
  }

  void Learn(const TargetSolution& now, double& correction) {
    constexpr double kStep = 2;  // a timing that was disturbed shall not teach too much
    constexpr double kMost = 4;
    clock_ = dense_ms_ / now.measured.dense_ms;
    const Round round{now.solution.ms, now.measured.ms * clock_};
    if (Miss(now) > 0 && (!slow_ || round.true_ms < slow_->true_ms)) slow_ = round;
    if (Miss(now) < 0 && (!fast_ || round.true_ms > fast_->true_ms)) fast_ = round;
    const double saved = dense_ms_ - round.true_ms;
    const double ratio = saved / (dense_ms_ - now.solution.ms);
    correction = std::clamp(ratio, now.correction / kStep, std::min(now.correction * kStep, kMost));
  }

  /// The dense network's time is known on both clocks.
  void LearnPace(const Measure& measure) {
    const size_t layers = model_.Solve(dense_ms_).sparsity.size();
    clock_ = dense_ms_ / measure(std::vector<double>(layers, 0)).dense_ms;
  }

  /// Relative distance from the time asked for; positive: too slow.
  double Miss(const TargetSolution& now) const {
    return target_.kind == TimeTarget::Kind::kSpeedup ? target_.value / now.MeasuredSpeedup() - 1
                                                      : now.measured.ms / target_.value - 1;
  }

  static bool NothingPruned(const TargetSolution& now) {
    const auto& sparsity = now.solution.sparsity;
    return std::all_of(sparsity.begin(), sparsity.end(), [](double s) { return s == 0; });
  }

  bool IsFastest(const TargetSolution& now) const {
    return now.solution.ms <= model_.fastest_ms() * (1 + 1e-9);
  }

  static std::string Describe(const TargetSolution& now) {
    return fmt::format("{:.4g} ms, speed-up {:.3f}", now.measured.ms, now.MeasuredSpeedup());
  }

  void NoteRound(const TargetSolution& now) const {
    Note(
        "{}, round {}: predicted {:.4g} ms, speed-up {:.3f} (saving × {:.3f}, loss {:.4g}); "
        "measured {}",
        target_.ToString(), now.rounds, now.predicted_ms, now.predicted_speedup, now.correction,
        now.solution.loss, Describe(now));
  }

  void WarnOfMiss() const {
    if (std::abs(Miss(*best_)) <= options_.tolerance) return;
    Warn(
        "{}: the time measured, {}, is {:.1f} % too {}; it was to be within {:.3g} % "
        "(allocation.time_tolerance) after {} rounds (allocation.time_rounds)",
        target_.ToString(), Describe(*best_), 100 * std::abs(Miss(*best_)),
        Miss(*best_) > 0 ? "long" : "short", 100 * options_.tolerance, options_.rounds);
  }

  [[noreturn]] void FailNeedsNothing() const {
    Fail("allocation",
         "{} needs nothing pruned: the dense network takes {:.4g} ms; ask for a "
         "faster one",
         target_.ToString(), dense_ms_ / clock_);
  }

  [[noreturn]] void FailNothingFaster() const {
    Fail("allocation",
         "{} cannot be reached: at most speed-up 1, no layer was faster at any sparsity that was "
         "timed; time_levels may be too low, or the network too small",
         target_.ToString());
  }

  [[noreturn]] void FailUnreachable(const TargetSolution& now) const {
    Fail("allocation",
         "{} cannot be reached: the best measured is {} (dense {:.4g} ms), with every layer at "
         "its fastest; ask for less, raise max_layer_sparsity or time_levels, or let more layers "
         "be pruned",
         target_.ToString(), Describe(now), now.measured.dense_ms);
  }

  const TimeModel& model_;
  const TimeTarget& target_;
  const TargetOptions& options_;
  const double dense_ms_;  // the model's
  double clock_ = 1;       // the model's time over the machine's present one
  std::optional<TargetSolution> best_;
  std::optional<Round> slow_;  // the nearest that was too slow
  std::optional<Round> fast_;  // and too fast
};

}  // namespace

std::string TimeTarget::ToString() const {
  return kind == Kind::kSpeedup ? fmt::format("speed-up {}", value) : fmt::format("{} ms", value);
}

TargetSolution MeetTarget(
    const TimeModel& model, const TimeTarget& target, const TargetOptions& options,
    const std::function<MeasuredTimes(const std::vector<double>& sparsity)>& measure,
    double& correction) {
  return Search(model, target, options).Run(measure, correction);
}

}  // namespace sparsify

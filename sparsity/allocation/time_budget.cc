#include "sparsity/allocation/time_budget.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "sparsity/allocation/loss_curve.h"
#include "sparsity/base/error.h"

namespace sparsify {
namespace {

constexpr size_t kParts = 10000;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<TimeOption> OptionsOf(const LossCurve& loss, const LayerTimeCurve& time) {
  std::vector<double> sparsities;
  if (!loss.continuous) {
    for (const LossPoint& point : loss.points) sparsities.push_back(point.sparsity);
  } else if (time.sparsity.size() > 1) {
    const double first = time.sparsity[1];
    const double last = std::min(time.sparsity.back(), loss.most());
    for (int i = static_cast<int>(std::ceil(100 * first)); i <= 100 * last; ++i) {
      sparsities.push_back(i / 100.0);
    }
    for (const double s : time.sparsity) {
      if (s <= last) sparsities.push_back(s);
    }
    if (last >= first) sparsities.push_back(last);
  }
  sparsities.push_back(0);
  std::sort(sparsities.begin(), sparsities.end());
  sparsities.erase(std::unique(sparsities.begin(), sparsities.end()), sparsities.end());
  std::vector<TimeOption> options;
  for (const double s : sparsities) options.push_back({s, loss.LossAt(s), time.At(s)});
  return options;
}

double LeastTime(const std::vector<TimeOption>& options) {
  double least = kInfinity;
  for (const TimeOption& option : options) least = std::min(least, option.ms);
  return least;
}

/// The dynamic programme over kParts equal parts of the time to spare.
class Program {
 public:
  explicit Program(double spare) : spare_(spare), best_(kParts + 1, 0) {}

  void Add(const std::vector<TimeOption>& options) {
    const double least = LeastTime(options);
    std::vector<double> next(best_.size(), kInfinity);
    Layer& layer = layers_.emplace_back();
    layer.choice.assign(best_.size(), 0);
    for (size_t o = 0; o < options.size(); ++o) {
      const size_t parts = PartsOf(options[o].ms - least);
      layer.parts.push_back(parts);
      for (size_t at = parts; at < best_.size(); ++at) {
        const double loss = best_[at - parts] + options[o].loss;
        if (loss >= next[at]) continue;
        next[at] = loss;
        layer.choice[at] = static_cast<uint16_t>(o);
      }
    }
    best_ = std::move(next);
  }

  /// The option of each layer.
  std::vector<size_t> Choices() const {
    std::vector<size_t> choices(layers_.size());
    size_t at = kParts;
    for (size_t i = layers_.size(); i-- > 0;) {
      choices[i] = layers_[i].choice[at];
      at -= layers_[i].parts[choices[i]];
    }
    return choices;
  }

 private:
  struct Layer {
    std::vector<uint16_t> choice;  // by parts that may be spent
    std::vector<size_t> parts;     // that each option spends
  };

  /// Rounded up; more than there are where it does not fit.
  size_t PartsOf(double extra) const {
    if (extra <= 0) return 0;
    if (extra > spare_) return kParts + 1;
    return static_cast<size_t>(std::ceil(extra / spare_ * kParts));
  }

  const double spare_;
  std::vector<double> best_;  // least loss of the layers so far, by parts that may be spent
  std::vector<Layer> layers_;
};

}  // namespace

TimeModel::TimeModel(const std::vector<SensitivityCurve>& curves, const LayerTimes& times,
                     double max_layer_sparsity) {
  const std::vector<LayerTime>& timed = times.levels.at(0).layers;
  if (curves.size() != timed.size()) {
    Fail("allocation", "{} sensitivity curves and times of {} layers", curves.size(), timed.size());
  }
  const std::vector<LossCurve> losses = LossCurvesOf(curves, max_layer_sparsity);
  for (size_t i = 0; i < curves.size(); ++i) {
    if (curves[i].layer != timed[i].layer) {
      Fail("allocation", "sensitivity of \"{}\" beside times of \"{}\"", curves[i].layer,
           timed[i].layer);
    }
    layers_.push_back(OptionsOf(losses[i], CurveOf(times, i)));
  }
  for (const NetworkTimes& level : times.levels) rest_ms_ += level.rest_ms;
  rest_ms_ /= static_cast<double>(times.levels.size());
}

double TimeModel::dense_ms() const {
  double ms = rest_ms_;
  for (const auto& options : layers_) ms += options.front().ms;
  return ms;
}

double TimeModel::fastest_ms() const {
  double ms = rest_ms_;
  for (const auto& options : layers_) ms += LeastTime(options);
  return ms;
}

TimeSolution TimeModel::Solve(double limit_ms) const {
  const double spare = limit_ms - fastest_ms();
  if (spare < 0) {
    Fail("allocation", "{:.4g} ms cannot be reached, {:.4g} ms are the least", limit_ms,
         fastest_ms());
  }
  Program program(spare);
  for (const auto& options : layers_) program.Add(options);
  TimeSolution solution{{}, 0, rest_ms_};
  const std::vector<size_t> choices = program.Choices();
  for (size_t i = 0; i < layers_.size(); ++i) {
    const TimeOption& option = layers_[i][choices[i]];
    solution.sparsity.push_back(option.sparsity);
    solution.loss += option.loss;
    solution.ms += option.ms;
  }
  return solution;
}

}  // namespace sparsify

#include "sparsity/report/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sparsify {
namespace {

// The smallest of 1, 2, 2.5, 5, 10 times a power of ten that is >= range / wanted.
double NiceStep(double range, int wanted) {
  const double rough = range / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (rough <= factor * power * (1 + 1e-9)) return factor * power;
  }
  return 10 * power;
}

// Decimals that tell multiples of `step` apart.
int DecimalsFor(double step) {
  int decimals = 0;
  double scaled = step;
  while (decimals < 9 && std::abs(scaled - std::round(scaled)) > 1e-6 * scaled) {
    scaled *= 10;
    ++decimals;
  }
  return decimals;
}

void Widen(double& low, double& high) {
  if (high - low > 1e-9 * std::max(std::abs(low), std::abs(high))) return;
  const double half = low == 0 ? 1 : 0.1 * std::abs(low);
  low -= half;
  high += half;
}

std::vector<double> Multiples(double step, double low, double high) {
  std::vector<double> ticks;
  const double first = std::ceil(low / step - 1e-9);
  const double last = std::floor(high / step + 1e-9);
  for (double k = first; k <= last; ++k) ticks.push_back(k == 0 ? 0 : k * step);
  return ticks;
}

}  // namespace

double Axis::At(double value) const {
  const double share =
      logarithmic ? std::log(value / min) / std::log(max / min) : (value - min) / (max - min);
  return from + share * (to - from);
}

std::string Axis::Label(double tick) const {
  if (logarithmic) return tick < 1e6 ? fmt::format("{:.6g}", tick) : fmt::format("{:.0e}", tick);
  const double size = std::max(std::abs(min), std::abs(max));
  if (size >= 1e6 || size < 1e-4) return fmt::format("{:.3g}", tick);
  return fmt::format("{:.{}f}", tick, decimals);
}

Axis NiceAxis(double low, double high, int wanted) {
  Widen(low, high);
  const double step = NiceStep(high - low, wanted);
  Axis axis;
  axis.min = std::floor(low / step + 1e-9) * step;
  axis.max = std::ceil(high / step - 1e-9) * step;
  axis.ticks = Multiples(step, axis.min, axis.max);
  axis.decimals = DecimalsFor(step);
  return axis;
}

Axis LogAxis(double low, double high) {
  constexpr double kSlack = 1e-9;
  constexpr size_t kMostTicks = 10;
  Axis axis;
  axis.logarithmic = true;
  for (const std::vector<double>& factors : {std::vector<double>{1, 2, 5}, {1}}) {
    std::vector<double> all;
    const double last = std::floor(std::log10(high) + kSlack) + 1;
    for (double power = std::floor(std::log10(low) + kSlack); power <= last; ++power) {
      for (const double factor : factors) all.push_back(factor * std::pow(10.0, power));
    }
    // From the last tick at or below `low` to the first at or above `high`, two at least.
    const auto above = [&](double value) {
      return std::upper_bound(all.begin(), all.end(), value * (1 + kSlack));
    };
    auto first = above(low) - 1;
    auto end = std::lower_bound(all.begin(), all.end(), high * (1 - kSlack)) + 1;
    if (end - first < 2) end = first + 2;
    axis.ticks.assign(first, end);
    if (axis.ticks.size() <= kMostTicks) break;
  }
  axis.min = axis.ticks.front();
  axis.max = axis.ticks.back();
  return axis;
}

Axis DataAxis(const std::vector<double>& values, int wanted, double margin, double min_gap) {
  std::vector<double> distinct = values;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  double low = distinct.front();
  double high = distinct.back();
  Widen(low, high);
  const double range = high - low;
  Axis axis;
  axis.min = low - margin * range;
  axis.max = high + margin * range;
  double gap = range;
  int decimals = DecimalsFor(std::abs(distinct[0]));
  for (size_t i = 1; i < distinct.size(); ++i) {
    gap = std::min(gap, distinct[i] - distinct[i - 1]);
    decimals = std::max(decimals, DecimalsFor(std::abs(distinct[i])));
  }
  if (gap >= min_gap * range && decimals <= 2) {
    axis.ticks = distinct;
    axis.decimals = decimals;
    return axis;
  }
  const double step = NiceStep(range, wanted);
  axis.ticks = Multiples(step, axis.min, axis.max);
  axis.decimals = DecimalsFor(step);
  return axis;
}

}  // namespace sparsify

// One axis of a plot: which numbers get a tick, and where a value lies on paper.
#pragma once

#include <string>
#include <vector>

namespace sparsify {

struct Axis {
  double min = 0;  // values at the two ends
  double max = 1;
  double from = 0;  // paper positions of the two ends
  double to = 1;
  std::vector<double> ticks;
  int decimals = 0;  // of tick labels
  bool logarithmic = false;

  double At(double value) const;
  std::string Label(double tick) const;
};

/// Ticks at multiples of 1, 2, 2.5 or 5 times a power of ten, about `wanted` of them. The axis
/// ends at ticks that enclose [low, high]. With low = high the range is widened around it.
Axis NiceAxis(double low, double high, int wanted);

/// Ends at low and high plus a margin (a fraction of the range), ticks inside. When `values` are
/// few and evenly legible (at least `min_gap` of the range apart) they are the ticks themselves.
Axis DataAxis(const std::vector<double>& values, int wanted, double margin, double min_gap);

/// A logarithmic axis for 0 < low ≤ high: ends at ticks that enclose them, at 1, 2 and 5 times
/// powers of ten, or at powers of ten alone where that would be more than ten.
Axis LogAxis(double low, double high);

}  // namespace sparsify

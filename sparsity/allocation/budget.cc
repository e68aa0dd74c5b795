#include "sparsity/allocation/budget.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "sparsity/allocation/loss_curve.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

constexpr double kMaskShare = 1.0 / 32;  // one bit for a weight of four bytes

/// What one layer may do: anything between its points, or only the points.
struct Choices : LossCurve {
  double cost = 0;  // removed at sparsity 1
};

/// The points on the lower convex hull.
std::vector<LossPoint> LowerHull(const std::vector<LossPoint>& points) {
  std::vector<LossPoint> hull;
  for (const LossPoint& point : points) {
    while (hull.size() > 1) {
      const LossPoint& a = hull[hull.size() - 2];
      const LossPoint& b = hull.back();
      const double turn = (b.sparsity - a.sparsity) * (point.loss - a.loss) -
                          (b.loss - a.loss) * (point.sparsity - a.sparsity);
      if (turn > 0) break;
      hull.pop_back();
    }
    hull.push_back(point);
  }
  return hull;
}

class Solver {
 public:
  Solver(std::vector<Choices> layers, double target)
      : layers_(std::move(layers)), target_(target), sparsity_(layers_.size(), 0) {
    double total = 0;
    for (const Choices& layer : layers_) total += layer.cost;
    tolerance_ = 1e-12 * total;
  }

  std::vector<double> Solve() {
    Fill();
    // Each exchange lowers the loss, so this ends; the bound is for rounding.
    constexpr int kMostExchanges = 10000;
    for (int i = 0; i < kMostExchanges && Exchange(); ++i) {
    }
    return sparsity_;
  }

  double Loss() const {
    double loss = 0;
    for (size_t i = 0; i < layers_.size(); ++i) loss += layers_[i].LossAt(sparsity_[i]);
    return loss;
  }

  double Removed() const {
    double removed = 0;
    for (size_t i = 0; i < layers_.size(); ++i) removed += layers_[i].cost * sparsity_[i];
    return removed;
  }

 private:
  struct Segment {
    size_t layer = 0;
    LossPoint from, to;
    double slope = 0;  // loss a unit of cost
  };
  struct Move {
    size_t first = 0, second = 0;
    double first_sparsity = 0, second_sparsity = 0;
    double gain = 0;
  };

  std::vector<Segment> Segments() const {
    std::vector<Segment> segments;
    for (size_t i = 0; i < layers_.size(); ++i) {
      if (!(layers_[i].cost > 0)) continue;
      const auto hull = LowerHull(layers_[i].points);
      for (size_t p = 1; p < hull.size(); ++p) {
        const double cost = layers_[i].cost * (hull[p].sparsity - hull[p - 1].sparsity);
        segments.push_back({i, hull[p - 1], hull[p], (hull[p].loss - hull[p - 1].loss) / cost});
      }
    }
    std::stable_sort(segments.begin(), segments.end(),
                     [](const Segment& a, const Segment& b) { return a.slope < b.slope; });
    return segments;
  }

  // The multiplier rises from segment to segment until the budget is met.
  void Fill() {
    double left = target_;
    for (const Segment& segment : Segments()) {
      if (left <= tolerance_) break;
      const Choices& layer = layers_[segment.layer];
      const double whole = layer.cost * (segment.to.sparsity - segment.from.sparsity);
      const bool part = layer.continuous && left < whole;
      sparsity_[segment.layer] =
          part ? segment.from.sparsity + left / layer.cost : segment.to.sparsity;
      left -= whole;
    }
  }

  // The best step of one layer to one of its points (or none) while another makes up for it.
  bool Exchange() {
    const double spare = Removed() - target_;
    Move best;
    best.gain = 1e-12 * Loss();
    for (size_t i = 0; i < layers_.size(); ++i) {
      const double now = layers_[i].LossAt(sparsity_[i]);
      TryPartners(i, sparsity_[i], 0, spare, best);
      for (const LossPoint& point : layers_[i].points) {
        const double freed = layers_[i].cost * (point.sparsity - sparsity_[i]);
        TryPartners(i, point.sparsity, now - point.loss, spare + freed, best);
      }
    }
    if (best.first == best.second) return false;
    sparsity_[best.first] = best.first_sparsity;
    sparsity_[best.second] = best.second_sparsity;
    return true;
  }

  // `spare`: what may be given back, or has to be taken where it is negative.
  void TryPartners(size_t first, double sparsity, double gain, double spare, Move& best) const {
    const auto consider = [&](size_t second, double second_sparsity) {
      const Choices& layer = layers_[second];
      const double total = gain + layer.LossAt(sparsity_[second]) - layer.LossAt(second_sparsity);
      if (total > best.gain) best = {first, second, sparsity, second_sparsity, total};
    };
    for (size_t j = 0; j < layers_.size(); ++j) {
      const Choices& layer = layers_[j];
      if (j == first || !(layer.cost > 0)) continue;
      if (layer.continuous) {
        const double wanted = sparsity_[j] - spare / layer.cost;
        if (wanted * layer.cost > layer.most() * layer.cost + tolerance_) continue;
        consider(j, std::clamp(wanted, 0.0, layer.most()));
        continue;
      }
      for (const LossPoint& point : layer.points) {
        const double change = layer.cost * (point.sparsity - sparsity_[j]);
        if (spare + change >= -tolerance_) consider(j, point.sparsity);
      }
    }
  }

  const std::vector<Choices> layers_;
  const double target_;
  double tolerance_ = 0;
  std::vector<double> sparsity_;
};

/// The budget in units of the layers' cost: removed = scale·reduction + offset.
struct Units {
  double scale = 0;
  double offset = 0;
};

Units UnitsOf(const std::vector<Choices>& layers, const Budget& budget) {
  double total = 0;
  for (const Choices& layer : layers) total += layer.cost;
  switch (budget.kind) {
    case BudgetKind::kSparsity:
      return {total, 0};
    case BudgetKind::kSize:
      return {total + static_cast<double>(budget.rest), total * kMaskShare};
    case BudgetKind::kMacs:
      return {total + static_cast<double>(budget.rest), 0};
  }
  return {};
}

struct KindName {
  std::string_view name;
  std::string_view of;  // for messages
};
constexpr std::array<KindName, 3> kKinds = {KindName{"sparsity", "the layers' weights"},
                                            KindName{"size", "the network's bytes"},
                                            KindName{"macs", "the network's multiply-adds"}};

/// What has to go, in units of the layers' costs. Where layers take a pattern or none, all of them
/// may fall a little short of the pattern's own share, as layers of few channels do: then all take
/// it.
double TargetOf(const std::vector<Choices>& layers, const Budget& budget, const Units& units) {
  constexpr double kLittle = 0.02;
  double most = 0;
  bool patterns = true;
  for (const Choices& layer : layers) {
    most += layer.cost * layer.most();
    patterns = patterns && !layer.continuous;
  }
  const double target = units.scale * budget.reduction + units.offset;
  if (target <= most * (1 + 1e-9)) return target;
  const double reachable = std::max(0.0, (most - units.offset) / units.scale);
  if (patterns && reachable >= budget.reduction - kLittle) {
    Note("allocation: {:.4g} % asked; with every layer in the pattern {:.4g} % of {} go",
         100 * budget.reduction, 100 * reachable, kKinds[static_cast<size_t>(budget.kind)].of);
    return most;
  }
  Fail("allocation",
       "{:.4g} % of {} cannot go: at most {:.4g} % with these curves and max_layer_sparsity; raise "
       "the cap, prune more layers or another pattern",
       100 * budget.reduction, kKinds[static_cast<size_t>(budget.kind)].of, 100 * reachable);
}

}  // namespace

BudgetKind BudgetKindOf(std::string_view name) {
  for (size_t i = 0; i < kKinds.size(); ++i) {
    if (kKinds[i].name == name) return static_cast<BudgetKind>(i);
  }
  FailUsage("allocation.budget", "unknown \"{}\"; percent are of: sparsity, size, macs", name);
}

BudgetSolution AllocateByBudget(const std::vector<SensitivityCurve>& curves, const Budget& budget,
                                double max_layer_sparsity) {
  std::vector<LossCurve> losses = LossCurvesOf(curves, max_layer_sparsity);
  std::vector<Choices> layers;
  for (size_t i = 0; i < curves.size(); ++i) {
    const int64_t cost = budget.kind == BudgetKind::kMacs ? curves[i].macs : curves[i].parameters;
    layers.push_back({std::move(losses[i]), static_cast<double>(cost)});
  }
  const Units units = UnitsOf(layers, budget);
  if (!(units.scale > 0)) Fail("allocation", "the layers have nothing that could go");
  const double target = TargetOf(layers, budget, units);
  Solver solver(std::move(layers), target);
  BudgetSolution solution;
  solution.sparsity = solver.Solve();
  solution.loss = solver.Loss();
  solution.reduction = (solver.Removed() - units.offset) / units.scale;
  return solution;
}

}  // namespace sparsify

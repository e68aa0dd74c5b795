#include "sparsity/allocation/level_allocation.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

constexpr double kSmallestInterval = 1e-6;
constexpr double kMostSparse = 0.99;

// Orders `values` so that at each of the ascending `cuts` everything before is <= everything
// from there on.
void Partition(std::vector<float>& values, size_t begin, size_t end, const int64_t* first_cut,
               const int64_t* last_cut) {
  if (first_cut == last_cut || begin >= end) return;
  const int64_t* middle = first_cut + (last_cut - first_cut) / 2;
  const auto at = static_cast<size_t>(*middle);
  if (at > begin && at < end) {
    const auto base = values.begin();
    std::nth_element(base + static_cast<int64_t>(begin), base + *middle,
                     base + static_cast<int64_t>(end));
  }
  Partition(values, begin, std::min(at, end), first_cut, middle);
  Partition(values, std::max(at, begin), end, middle + 1, last_cut);
}

// The larger side of an image C×H×W (a line C×L has one side).
int64_t LargerSide(const Shape& image, std::string_view where) {
  int64_t side = 0;
  for (int d = 1; d < image.rank(); ++d) side = std::max(side, image[d]);
  if (side < 1)
    Fail(where, "level allocation needs an image size; the shape is {}", image.ToString());
  return side;
}

int64_t NetworkSide(const AllocationProblem& problem) {
  for (const Port& port : problem.graph.inputs) {
    if (port.shape.rank() < 3) continue;
    const auto& dims = port.shape.dims();
    return LargerSide(Shape(std::vector<int64_t>(dims.begin() + 1, dims.end())),
                      problem.graph.name);
  }
  // No image comes in, so the largest that a convolution sees stands for it.
  int64_t side = 0;
  for (const Layer& layer : problem.layers) {
    if (!layer.is_linear) side = std::max(side, LargerSide(layer.input_shape, layer.name));
  }
  return side;
}

int StrideGroup(int64_t network_side, const Layer& layer) {
  const auto side = static_cast<double>(LargerSide(layer.input_shape, layer.name));
  return static_cast<int>(std::ceil(std::log2(static_cast<double>(network_side) / side)));
}

std::vector<double> StrideFactors(const AllocationProblem& problem) {
  const int64_t network_side = NetworkSide(problem);
  std::set<int> groups;
  for (const Layer& layer : problem.layers) {
    if (!layer.is_linear) groups.insert(StrideGroup(network_side, layer));
  }
  std::vector<double> factors;
  for (size_t i = 0; i < problem.selected.size(); ++i) {
    const Layer& layer = problem.layer(i);
    if (layer.is_linear) {
      factors.push_back(1);
      continue;
    }
    // G − g: how many distinct groups lie beyond the layer's own.
    const auto own = groups.find(StrideGroup(network_side, layer));
    const auto beyond = static_cast<double>(std::distance(own, groups.end()) - 1);
    const double decay = 0.4 * problem.options.tuning * beyond * (layer.is_depthwise ? 2 : 1);
    factors.push_back(1 - std::min(0.9, decay));
  }
  return factors;
}

std::vector<EnergyCurve> CurvesOf(const AllocationProblem& problem) {
  std::vector<EnergyCurve> curves(problem.selected.size(), EnergyCurve(Tensor()));
  ParallelFor(static_cast<int64_t>(curves.size()), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    curves[at] = EnergyCurve(problem.weight(at));
  });
  return curves;
}

// The bisection over E, with the layers' curves at hand.
class Search {
 public:
  Search(const AllocationProblem& problem, const std::vector<EnergyCurve>& curves, double sparsity,
         LevelAllocation& result)
      : problem_(problem), curves_(curves), target_(sparsity), result_(result) {}

  void Run() {
    double low = 0;
    double high = 100;
    if (!Reaches(Try(high))) {
      high /= *std::min_element(result_.factor.begin(), result_.factor.end());
      CheckReachable(Try(high));
    }
    double reached = 0;
    do {
      result_.energy = low + (high - low) / 2;
      reached = Try(result_.energy);
      (reached < target_ ? low : high) = result_.energy;
    } while (!IsClose(reached) && high - low >= kSmallestInterval);
    result_.sparsity = result_.path.back().layers;
    if (!IsClose(reached)) {
      Warn("level allocation: no energy gives sparsity {:.4f} within {}; the nearest gives {:.4f}",
           target_, problem_.options.tolerance, reached);
    }
  }

 private:
  bool IsClose(double reached) const {
    return std::abs(reached - target_) <= problem_.options.tolerance;
  }
  bool Reaches(double reached) const { return reached >= target_ - problem_.options.tolerance; }

  void CheckReachable(double most) const {
    if (Reaches(most)) return;
    Fail("allocation",
         "level reaches a sparsity of {:.4f} at most, with no layer above {}; asked: {:.4f}", most,
         std::min(kMostSparse, problem_.options.max_layer_sparsity), target_);
  }

  std::vector<double> SparsityAt(double energy) const {
    std::vector<double> sparsity;
    for (size_t i = 0; i < curves_.size(); ++i) {
      sparsity.push_back(
          curves_[i].SparsityAt(energy * result_.factor[i], problem_.options.max_layer_sparsity));
    }
    return sparsity;
  }

  double Try(double energy) {
    std::vector<double> sparsity = SparsityAt(energy);
    double pruned = 0;
    for (size_t i = 0; i < sparsity.size(); ++i) {
      pruned += sparsity[i] * static_cast<double>(problem_.layer(i).parameters);
    }
    const double total = static_cast<double>(std::max<int64_t>(1, problem_.TotalWeights()));
    const int step = static_cast<int>(result_.path.size());
    result_.path.push_back({step, energy, pruned / total, std::move(sparsity)});
    return pruned / total;
  }

  const AllocationProblem& problem_;
  const std::vector<EnergyCurve>& curves_;
  double target_;
  LevelAllocation& result_;
};

}  // namespace

// A share f rounds to at least j/100 when f >= (2j − 1)/200, that is when ⌈(2j − 1)·n/200⌉ of
// the n weights may go; so the energies of 99 prefixes tell everything.
EnergyCurve::EnergyCurve(const Tensor& weight) {
  std::vector<float> magnitudes;
  magnitudes.reserve(static_cast<size_t>(weight.size()));
  for (const float w : weight.values()) magnitudes.push_back(std::abs(w));
  std::array<int64_t, kSteps> cuts;
  for (int j = 1; j <= kSteps; ++j) {
    cuts[static_cast<size_t>(j - 1)] = ((2 * j - 1) * weight.size() + 199) / 200;
  }
  Partition(magnitudes, 0, magnitudes.size(), cuts.data(), cuts.data() + kSteps);
  double sum = 0;
  int64_t at = 0;
  const auto add_until = [&](int64_t end) {
    for (; at < end; ++at) {
      const double w = magnitudes[static_cast<size_t>(at)];
      sum += w * w;
    }
    return sum;
  };
  for (size_t j = 0; j < kSteps; ++j) energy_[j] = add_until(cuts[j]);
  const double total = add_until(weight.size());
  for (double& energy : energy_) energy = total > 0 ? 100 * energy / total : 0;
}

double EnergyCurve::SparsityAt(double energy, double cap) const {
  const auto steps = std::upper_bound(energy_.begin(), energy_.end(), energy) - energy_.begin();
  return std::min({static_cast<double>(steps) / 100, kMostSparse, cap});
}

LevelAllocation AllocateByLevel(const AllocationProblem& problem) {
  return AllocateByLevels(problem, {problem.sparsity}).front();
}

std::vector<LevelAllocation> AllocateByLevels(const AllocationProblem& problem,
                                              const std::vector<double>& sparsities) {
  CheckWeightsFinite(problem);
  LevelAllocation start;
  start.factor = StrideFactors(problem);
  std::vector<LevelAllocation> results(sparsities.size(), start);
  if (problem.selected.empty()) return results;
  const std::vector<EnergyCurve> curves = CurvesOf(problem);
  for (size_t i = 0; i < sparsities.size(); ++i) {
    ThrowIfInterrupted();
    Search(problem, curves, sparsities[i], results[i]).Run();
  }
  return results;
}

}  // namespace sparsify

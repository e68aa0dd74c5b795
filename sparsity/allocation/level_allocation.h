// Level allocation: every layer gives up weights of the same share of its energy, early
// high-resolution layers less (AmbaLevelPruneScheduler's prun_algo 1).
#pragma once

#include <array>
#include <vector>

#include "sparsity/allocation/allocation_problem.h"

namespace sparsify {

/// One step of the search for the network-wide energy budget.
struct LevelStep {
  int step = 0;
  double energy = 0;           // E, percent
  double sparsity = 0;         // Σnᵢsᵢ/Σnᵢ at that E
  std::vector<double> layers;  // sparsity of each selected layer at that E
};

struct LevelAllocation {
  std::vector<double> sparsity;  // of each selected layer, multiples of 0.01, at most 0.99
  std::vector<double> factor;    // E_l/E of each selected layer
  double energy = 0;             // the E that was taken
  std::vector<LevelStep> path;   // every E that was tried, in order; the last is the one taken
};

/// Layer l may lose the largest share of its smallest weights whose squares sum to at most
/// E_l % of the layer's sum of squares; that share is rounded to 0.01 and capped at 0.99
/// (and max_layer_sparsity). E is bisected until the network is within `tolerance` of the
/// sparsity or the interval is below 1e-6, which is warned about. With H the larger side
/// of the network's input and h of the layer's:
///   E_l = E·(1 − min(0.9, 0.4·tuning·(G − g)·(2 if depthwise else 1))),
/// g the rank of ceil(log2(H/h)) among the distinct values of the network's convolutions, G
/// the largest g; a fully connected layer has E_l = E. E starts in 0 … 100 and may pass
/// 100 only where the factors ask for it. Throws when the caps make the sparsity unreachable.
LevelAllocation AllocateByLevel(const AllocationProblem& problem);

/// The same for each of `sparsities` (fractions) in place of problem.sparsity; the weights are
/// looked through once.
std::vector<LevelAllocation> AllocateByLevels(const AllocationProblem& problem,
                                              const std::vector<double>& sparsities);

/// Sparsity of a layer as a function of its energy budget, in steps of 0.01.
class EnergyCurve {
 public:
  explicit EnergyCurve(const Tensor& weight);
  /// The share that `energy` percent allow, rounded to 0.01, at most `cap` (and 0.99).
  double SparsityAt(double energy, double cap) const;

 private:
  static constexpr int kSteps = 99;
  std::array<double, kSteps> energy_;  // percent needed for 0.01, 0.02 … 0.99
};

}  // namespace sparsify

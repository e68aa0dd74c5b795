// Which steps run over lanes and which in the dense library's formats: the exact minimum of
// step times plus reorder times.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace sparsify {

/// Times in any one integer unit. A step or value refers to others by index.
struct AssignmentProblem {
  static constexpr int64_t kImpossible = std::numeric_limits<int64_t>::max() / 4;

  struct Step {
    int64_t dense = 0;
    int64_t lanes = kImpossible;
  };
  struct Value {
    int producer = -1;  // step, or −1: a graph input, dense
    std::vector<int> readers;
    bool is_output = false;  // of the graph: wanted dense
    int64_t to_lanes = 0;    // reordering it once, however many read it
    int64_t to_dense = 0;
  };

  std::vector<Step> steps;
  std::vector<Value> values;
};

/// For each step whether it runs over lanes. Minimises
///   Σ time of each step + Σ to_lanes of values made dense that a lane step reads
///                       + Σ to_dense of values made over lanes that a dense step reads
/// by a minimum cut (Edmonds & Karp, 1972); ties go to dense. Deterministic.
std::vector<bool> AssignLanes(const AssignmentProblem& problem);

/// The sum above for a given assignment.
int64_t AssignmentCost(const AssignmentProblem& problem, const std::vector<bool>& lanes);

}  // namespace sparsify

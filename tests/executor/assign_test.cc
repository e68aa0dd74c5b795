#include "sparsity/executor/assign.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "sparsity/base/random.h"

namespace sparsify {
namespace {

constexpr int64_t kImpossible = AssignmentProblem::kImpossible;

/// A random network of steps in topological order, each reading one or two earlier values.
AssignmentProblem RandomProblem(Random& random, int steps) {
  AssignmentProblem problem;
  problem.values.push_back({});  // the graph's input
  for (int s = 0; s < steps; ++s) {
    const auto lanes = static_cast<int64_t>(random.Below(12));
    problem.steps.push_back(
        {static_cast<int64_t>(random.Below(12)), random.Below(6) == 0 ? kImpossible : lanes});
    for (uint64_t k = 0; k < 1 + random.Below(2); ++k) {
      std::vector<int>& readers = problem.values[random.Below(problem.values.size())].readers;
      if (readers.empty() || readers.back() != s) readers.push_back(s);
    }
    problem.values.push_back({s, {}, false, 0, 0});
  }
  problem.values.back().is_output = true;
  for (AssignmentProblem::Value& value : problem.values) {
    value.to_lanes = static_cast<int64_t>(random.Below(8));
    value.to_dense = static_cast<int64_t>(random.Below(8));
  }
  return problem;
}

/// The sum of the header, written out step by step with per-label sets.
int64_t NaiveCost(const AssignmentProblem& problem, unsigned lanes) {
  int64_t cost = 0;
  for (size_t s = 0; s < problem.steps.size(); ++s) {
    cost += (lanes >> s & 1U) != 0 ? problem.steps[s].lanes : problem.steps[s].dense;
  }
  for (const AssignmentProblem::Value& value : problem.values) {
    int dense_readers = value.is_output ? 1 : 0;
    int lane_readers = 0;
    for (int reader : value.readers) ((lanes >> reader & 1U) != 0 ? lane_readers : dense_readers)++;
    const bool from_lanes = value.producer >= 0 && (lanes >> value.producer & 1U) != 0;
    if (from_lanes && dense_readers > 0) cost += value.to_dense;
    if (!from_lanes && lane_readers > 0) cost += value.to_lanes;
  }
  return cost;
}

TEST(AssignLanes, IsOptimalOnRandomNetworks) {
  Random random(5);
  for (int round = 0; round < 400; ++round) {
    const int steps = 1 + static_cast<int>(random.Below(9));
    const AssignmentProblem problem = RandomProblem(random, steps);
    int64_t best = std::numeric_limits<int64_t>::max();
    for (unsigned lanes = 0; lanes < 1U << steps; ++lanes) {
      bool possible = true;
      for (int s = 0; s < steps; ++s) {
        possible = possible && ((lanes >> s & 1U) == 0 ||
                                problem.steps[static_cast<size_t>(s)].lanes < kImpossible);
      }
      if (possible) best = std::min(best, NaiveCost(problem, lanes));
    }
    const std::vector<bool> assigned = AssignLanes(problem);
    unsigned bits = 0;
    for (size_t s = 0; s < assigned.size(); ++s) bits |= assigned[s] ? 1U << s : 0U;
    EXPECT_EQ(NaiveCost(problem, bits), best) << "round " << round;
    EXPECT_EQ(AssignmentCost(problem, assigned), best) << "round " << round;
  }
}

TEST(AssignLanes, TiesStayDense) {
  AssignmentProblem problem;
  problem.steps = {{5, 5}, {5, 5}};
  problem.values = {{-1, {0}, false, 0, 0}, {0, {1}, false, 0, 0}, {1, {}, true, 0, 0}};
  EXPECT_EQ(AssignLanes(problem), std::vector<bool>({false, false}));
}

TEST(AssignLanes, AReorderSharedByTwoReadersIsPaidOnce) {
  // Each reader gains 3 over lanes; the reorder of what both read costs 4.
  AssignmentProblem problem;
  problem.steps = {{1, kImpossible}, {5, 2}, {5, 2}};
  problem.values = {
      {-1, {0}, false, 0, 0}, {0, {1, 2}, false, 4, 4}, {1, {}, true, 0, 0}, {2, {}, true, 0, 0}};
  EXPECT_EQ(AssignLanes(problem), std::vector<bool>({false, true, true}));
}

}  // namespace
}  // namespace sparsify

#include "sparsity/executor/assign.h"

#include <algorithm>
#include <deque>

namespace sparsify {
namespace {

constexpr int64_t kInfinite = AssignmentProblem::kImpossible;

/// Directed graph with capacities; edge 2k and 2k+1 are each other's reverse.
class FlowNetwork {
 public:
  explicit FlowNetwork(size_t nodes) : edges_of_(nodes) {}

  void AddEdge(int from, int to, int64_t capacity) {
    if (capacity <= 0) return;
    edges_of_[static_cast<size_t>(from)].push_back(static_cast<int>(edges_.size()));
    edges_.push_back({to, std::min(capacity, kInfinite)});
    edges_of_[static_cast<size_t>(to)].push_back(static_cast<int>(edges_.size()));
    edges_.push_back({from, 0});
  }

  /// Nodes on the sink's side of the minimum cut that is nearest to the sink.
  std::vector<bool> SinkSide(int source, int sink) {
    while (Augment(source, sink)) {
    }
    return ReachesSink(sink);
  }

 private:
  struct Edge {
    int to;
    int64_t capacity;  // left
  };

  bool Augment(int source, int sink) {
    std::vector<int> arrived_by(edges_of_.size(), -1);
    std::deque<int> queue = {source};
    while (!queue.empty() && arrived_by[static_cast<size_t>(sink)] < 0) {
      const int node = queue.front();
      queue.pop_front();
      for (int e : edges_of_[static_cast<size_t>(node)]) {
        const Edge& edge = edges_[static_cast<size_t>(e)];
        if (edge.capacity <= 0 || edge.to == source) continue;
        int& arrived = arrived_by[static_cast<size_t>(edge.to)];
        if (arrived >= 0) continue;
        arrived = e;
        queue.push_back(edge.to);
      }
    }
    if (arrived_by[static_cast<size_t>(sink)] < 0) return false;
    Push(arrived_by, source, sink);
    return true;
  }

  void Push(const std::vector<int>& arrived_by, int source, int sink) {
    int64_t flow = kInfinite;
    const auto walk = [&](auto visit) {
      for (int node = sink; node != source;) {
        const int e = arrived_by[static_cast<size_t>(node)];
        visit(static_cast<size_t>(e));
        node = edges_[static_cast<size_t>(e ^ 1)].to;
      }
    };
    walk([&](size_t e) { flow = std::min(flow, edges_[e].capacity); });
    walk([&](size_t e) {
      edges_[e].capacity -= flow;
      edges_[e ^ 1].capacity += flow;
    });
  }

  std::vector<bool> ReachesSink(int sink) const {
    std::vector<bool> reaches(edges_of_.size(), false);
    reaches[static_cast<size_t>(sink)] = true;
    std::deque<int> queue = {sink};
    while (!queue.empty()) {
      const int node = queue.front();
      queue.pop_front();
      for (int e : edges_of_[static_cast<size_t>(node)]) {
        const auto other = static_cast<size_t>(edges_[static_cast<size_t>(e)].to);
        if (reaches[other] || edges_[static_cast<size_t>(e ^ 1)].capacity <= 0) continue;
        reaches[other] = true;
        queue.push_back(static_cast<int>(other));
      }
    }
    return reaches;
  }

  std::vector<Edge> edges_;
  std::vector<std::vector<int>> edges_of_;
};

}  // namespace

// The source's side is dense, the sink's side lanes. A value has two nodes besides its
// producer's: `some_lanes` falls to the sink when any reader does, `some_dense` to the
// source when any reader does; each pays for its reorder against the producer.
std::vector<bool> AssignLanes(const AssignmentProblem& problem) {
  const auto steps = static_cast<int>(problem.steps.size());
  const auto values = static_cast<int>(problem.values.size());
  const int source = steps + 2 * values;
  const int sink = source + 1;
  FlowNetwork network(static_cast<size_t>(sink) + 1);
  for (int s = 0; s < steps; ++s) {
    const AssignmentProblem::Step& step = problem.steps[static_cast<size_t>(s)];
    network.AddEdge(s, sink, step.dense);
    network.AddEdge(source, s, step.lanes);
  }
  for (int v = 0; v < values; ++v) {
    const AssignmentProblem::Value& value = problem.values[static_cast<size_t>(v)];
    const int some_lanes = steps + 2 * v;
    const int some_dense = some_lanes + 1;
    const int producer = value.producer < 0 ? source : value.producer;
    network.AddEdge(producer, some_lanes, value.to_lanes);
    network.AddEdge(some_dense, producer, value.to_dense);
    for (int reader : value.readers) {
      network.AddEdge(some_lanes, reader, kInfinite);
      network.AddEdge(reader, some_dense, kInfinite);
    }
    if (value.is_output) network.AddEdge(source, some_dense, kInfinite);
  }
  std::vector<bool> lanes = network.SinkSide(source, sink);
  lanes.resize(problem.steps.size());
  return lanes;
}

int64_t AssignmentCost(const AssignmentProblem& problem, const std::vector<bool>& lanes) {
  int64_t cost = 0;
  for (size_t s = 0; s < problem.steps.size(); ++s) {
    cost += lanes[s] ? problem.steps[s].lanes : problem.steps[s].dense;
  }
  for (const AssignmentProblem::Value& value : problem.values) {
    const bool made_in_lanes = value.producer >= 0 && lanes[static_cast<size_t>(value.producer)];
    bool wanted = made_in_lanes && value.is_output;
    for (int reader : value.readers) {
      wanted = wanted || lanes[static_cast<size_t>(reader)] != made_in_lanes;
    }
    if (wanted) cost += made_in_lanes ? value.to_dense : value.to_lanes;
  }
  return cost;
}

}  // namespace sparsify

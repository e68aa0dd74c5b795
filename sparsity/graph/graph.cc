#include "sparsity/graph/graph.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

// Which node makes each value; kNoProducer for inputs and parameters.
constexpr int kNoProducer = -1;

std::vector<int> Producers(const Graph& graph) {
  std::vector<int> producers(graph.values().size(), kNoProducer);
  const int count = static_cast<int>(graph.nodes().size());
  for (int i = 0; i < count; ++i) {
    for (const ValueId out : graph.node(i).outputs) {
      if (out == kNoValue) continue;
      int& producer = producers[static_cast<size_t>(out)];
      if (producer != kNoProducer || graph.value(out).is_parameter) {
        Fail(graph.name, "value \"{}\" is made twice", graph.value(out).name);
      }
      producer = i;
    }
  }
  return producers;
}

void CheckIds(const Graph& graph, const Node& node) {
  const auto count = static_cast<ValueId>(graph.values().size());
  const auto check = [&](ValueId id) {
    if (id < kNoValue || id >= count) {
      Fail(graph.name, "node \"{}\" refers to value {} of {}", node.name, id, count);
    }
  };
  std::for_each(node.inputs.begin(), node.inputs.end(), check);
  std::for_each(node.outputs.begin(), node.outputs.end(), check);
}

void CheckPorts(const Graph& graph, const std::vector<int>& producers) {
  const auto count = static_cast<ValueId>(graph.values().size());
  for (const auto* ports : {&graph.inputs, &graph.outputs}) {
    for (const Port& port : *ports) {
      if (port.value < 0 || port.value >= count) {
        Fail(graph.name, "an input or output refers to value {} of {}", port.value, count);
      }
    }
  }
  for (const Port& in : graph.inputs) {
    if (producers[static_cast<size_t>(in.value)] != kNoProducer) {
      Fail(graph.name, "input \"{}\" is also made by a node", graph.value(in.value).name);
    }
  }
}

bool IsGiven(const Graph& graph, ValueId id) {
  return id == kNoValue || graph.value(id).is_parameter ||
         std::any_of(graph.inputs.begin(), graph.inputs.end(),
                     [id](const Port& port) { return port.value == id; });
}

// Kahn's algorithm, always taking the ready node that was added first.
std::vector<int> TopologicalOrder(const Graph& graph, const std::vector<int>& producers) {
  const size_t count = graph.nodes().size();
  std::vector<int> waiting_for(count, 0);
  std::vector<std::vector<int>> readers(count);
  for (size_t i = 0; i < count; ++i) {
    for (const ValueId in : graph.nodes()[i].inputs) {
      if (IsGiven(graph, in)) continue;
      const int producer = producers[static_cast<size_t>(in)];
      if (producer == kNoProducer) {
        Fail(graph.name, "node \"{}\" reads \"{}\", which nothing makes", graph.nodes()[i].name,
             graph.value(in).name);
      }
      readers[static_cast<size_t>(producer)].push_back(static_cast<int>(i));
      ++waiting_for[i];
    }
  }
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (size_t i = 0; i < count; ++i) {
    if (waiting_for[i] == 0) ready.push(static_cast<int>(i));
  }
  std::vector<int> order;
  while (!ready.empty()) {
    const int node = ready.top();
    ready.pop();
    order.push_back(node);
    for (const int reader : readers[static_cast<size_t>(node)]) {
      if (--waiting_for[static_cast<size_t>(reader)] == 0) ready.push(reader);
    }
  }
  if (order.size() != count) {
    Fail(graph.name, "the graph has a cycle through {} nodes", count - order.size());
  }
  return order;
}

}  // namespace

ValueId Graph::AddActivation(std::string value_name) {
  const auto id = static_cast<ValueId>(values_.size());
  if (value_name.empty() || !by_name_.emplace(value_name, id).second) {
    Fail(name, "value name \"{}\" is empty or used twice", value_name);
  }
  values_.push_back({std::move(value_name), false, Tensor()});
  return id;
}

ValueId Graph::AddParameter(std::string value_name, Tensor data) {
  const ValueId id = AddActivation(std::move(value_name));
  values_.back().is_parameter = true;
  values_.back().data = std::move(data);
  return id;
}

int Graph::AddNode(Node node) {
  nodes_.push_back(std::move(node));
  return static_cast<int>(nodes_.size()) - 1;
}

void Graph::SortAndCheck() {
  for (const Node& node : nodes_) CheckIds(*this, node);
  const std::vector<int> producers = Producers(*this);
  CheckPorts(*this, producers);
  std::vector<Node> sorted;
  sorted.reserve(nodes_.size());
  for (const int i : TopologicalOrder(*this, producers)) {
    sorted.push_back(std::move(nodes_[static_cast<size_t>(i)]));
  }
  nodes_ = std::move(sorted);
  for (const Port& out : outputs) {
    if (!IsGiven(*this, out.value) && Producer(out.value) == kNoProducer) {
      Fail(name, "output \"{}\" is made by no node", value(out.value).name);
    }
  }
}

ValueId Graph::FindValue(std::string_view value_name) const {
  const auto it = by_name_.find(value_name);
  return it == by_name_.end() ? kNoValue : it->second;
}

int Graph::Producer(ValueId id) const {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const auto& outs = nodes_[i].outputs;
    if (std::find(outs.begin(), outs.end(), id) != outs.end()) return static_cast<int>(i);
  }
  return kNoProducer;
}

bool Graph::IsOutput(ValueId id) const {
  return std::any_of(outputs.begin(), outputs.end(),
                     [id](const Port& port) { return port.value == id; });
}

std::vector<int> Graph::Consumers(ValueId id) const {
  std::vector<int> consumers;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const auto& ins = nodes_[i].inputs;
    if (std::find(ins.begin(), ins.end(), id) != ins.end())
      consumers.push_back(static_cast<int>(i));
  }
  return consumers;
}

int64_t CountParameters(const Graph& graph) {
  int64_t total = 0;
  for (const Value& value : graph.values()) total += value.is_parameter ? value.data.size() : 0;
  return total;
}

void CheckParametersFinite(const Graph& graph, std::string_view where) {
  for (const Value& value : graph.values()) {
    const int64_t at = value.is_parameter ? FirstNonFinite(value.data) : -1;
    if (at >= 0) {
      Fail(where, "weight \"{}\" of shape {} holds {} at flat index {}; repair the model first",
           value.name, value.data.shape().ToString(), value.data[at], at);
    }
  }
}

}  // namespace sparsify

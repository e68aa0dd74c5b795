#include "reconstruction/layer_weights.h"

#include <algorithm>
#include <utility>

#include "sparsity/allocation/prune_network.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

int64_t Rows(const Layer& layer) { return layer.weight_shape[0] / layer.groups; }
int64_t Columns(const Layer& layer) { return layer.parameters / layer.weight_shape[0]; }

// Sums of a layer with the copies that solving makes of one group; with `searches`, those of two
// parts of the images and the copies that the search takes of them.
int64_t SumsBytes(const Layer& layer, bool searches) {
  constexpr int64_t kCopies = 3;
  constexpr int64_t kSearched = 4;
  const int64_t group = Columns(layer) * (Columns(layer) + Rows(layer)) * 8;
  return group * ((searches ? kSearched : 1) * layer.groups + kCopies);
}

std::string FreeName(const Graph& graph, const std::string& stem) {
  std::string name = stem;
  for (int i = 2; graph.FindValue(name) != kNoValue; ++i) name = stem + std::to_string(i);
  return name;
}

}  // namespace

std::string LayerObstacle(const Graph& graph, const Layer& layer, int64_t limit, bool searches) {
  const Node& node = graph.node(layer.node);
  if (node.type == OpType::kMatMul) return "MatMul has no bias that could match the means";
  const size_t readers = graph.Consumers(layer.weight).size();
  if (readers > 1) return fmt::format("its weight feeds {} nodes", readers);
  if (layer.bias != kNoValue && !graph.value(layer.bias).is_parameter) {
    return "its bias is computed";
  }
  const Attributes& a = node.attributes;
  if (layer.is_linear &&
      (a.Float("alpha", 1) != 1 || a.Float("beta", 1) != 1 || a.Int("transA", 0) != 0)) {
    return "it scales or transposes (alpha, beta, transA)";
  }
  const int64_t bytes = SumsBytes(layer, searches);
  if (bytes > limit) {
    return fmt::format("its sums take {}, memory_limit is {}", FormatBytes(bytes),
                       FormatBytes(limit));
  }
  return "";
}

void BakeIntoStudent(const std::map<std::string, Mask>& masks, Graph& student) {
  for (const auto& [name, mask] : masks) BakeMask(student, name, mask);
}

void CheckFiniteParameters(const Graph& graph) {
  for (const Value& value : graph.values()) {
    const int64_t bad = value.is_parameter ? FirstNonFinite(value.data) : -1;
    if (bad < 0) continue;
    Fail(graph.name, "\"{}\" of shape {} holds {} at flat index {}; repair the model first",
         value.name, value.data.shape().ToString(), value.data[bad], bad);
  }
}

bool DiffersFromTeacher(const Graph& student, const Graph& teacher, const std::string& weight) {
  const ValueId dense = teacher.FindValue(weight);
  if (dense == kNoValue || !teacher.value(dense).is_parameter) {
    Fail(teacher.name, "the dense network has no parameter \"{}\"", weight);
  }
  const auto kept = student.value(student.FindValue(weight)).data.values();
  const auto given = teacher.value(dense).data.values();
  return !std::equal(kept.begin(), kept.end(), given.begin(), given.end());
}

void WriteBias(Graph& student, const Layer& layer, Tensor bias) {
  const auto node = static_cast<size_t>(layer.node);
  const ValueId old = layer.bias;
  if (old != kNoValue && student.Consumers(old).size() == 1 &&
      student.value(old).data.size() == bias.size()) {
    bias.Reshape(student.value(old).data.shape());
    student.mutable_value(old).data = std::move(bias);
    return;
  }
  const std::string name = FreeName(student, layer.name + ".bias");
  Verbose("{}: gets a bias of its own, \"{}\"", layer.name, name);
  const ValueId added = student.AddParameter(name, std::move(bias));
  student.mutable_nodes()[node].inputs.resize(3, kNoValue);
  student.mutable_nodes()[node].inputs[2] = added;
}

}  // namespace sparsify

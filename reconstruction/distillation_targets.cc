#include "reconstruction/distillation_targets.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "reconstruction/repair.h"
#include "reconstruction/unit.h"
#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/graph/logits.h"
#include "sparsity/ops/op.h"

namespace sparsify {
namespace {

size_t Index(ValueId id) { return static_cast<size_t>(id); }

void CheckGraphs(const Graph& student, const Graph& teacher) {
  if (student.inputs.size() != 1 || student.outputs.size() != 1) {
    Fail(student.name, "{} inputs and {} outputs, polish needs a network with one of each",
         student.inputs.size(), student.outputs.size());
  }
  CheckSameNodes(student, teacher);
}

// The teacher's activation that is made where the student makes `id`.
Compared Match(const Graph& student, const Graph& teacher, ValueId id) {
  const int node = student.Producer(id);
  if (node < 0) {
    Fail(student.name, "\"{}\" is made by no node, there is nothing to compare",
         student.value(id).name);
  }
  const auto& made = student.node(node).outputs;
  const auto slot = std::find(made.begin(), made.end(), id) - made.begin();
  return {student.value(id).name, id, teacher.node(node).outputs[static_cast<size_t>(slot)]};
}

}  // namespace

DistillationTargets FindTargets(const Graph& student, const Graph& teacher,
                                const std::vector<Layer>& layers) {
  CheckGraphs(student, teacher);
  DistillationTargets targets;
  const ValueId logits = LogitsOf(student);
  targets.logits = Match(student, teacher, logits);
  std::vector<ValueId> ids;
  for (const Unit& unit : FindUnits(student, layers, UnitPattern::kBlock)) {
    ids.insert(ids.end(), unit.outputs.begin(), unit.outputs.end());
  }
  ids.push_back(student.node(layers.back().node).inputs[0]);
  std::vector<bool> taken(student.values().size(), false);
  taken[Index(logits)] = taken[Index(student.outputs[0].value)] = true;
  for (const ValueId id : ids) {
    if (student.Producer(id) < 0 || taken[Index(id)]) continue;
    taken[Index(id)] = true;
    targets.blocks.push_back(Match(student, teacher, id));
  }
  return targets;
}

std::string FindObstacle(const Graph& student, const std::vector<Layer>& layers,
                         const DistillationTargets& targets) {
  const auto& nodes = student.nodes();
  std::vector<bool> leads(student.values().size(), false);  // to a target
  leads[Index(targets.logits.student)] = true;
  for (const Compared& block : targets.blocks) leads[Index(block.student)] = true;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    const bool used = std::any_of(node->outputs.begin(), node->outputs.end(),
                                  [&](ValueId id) { return id != kNoValue && leads[Index(id)]; });
    for (const ValueId id : node->inputs) {
      if (used && id != kNoValue) leads[Index(id)] = true;
    }
  }
  std::vector<bool> learns(student.values().size(), false);  // depends on a layer's parameters
  for (const Layer& layer : layers) learns[Index(layer.weight)] = true;
  for (const Node& node : nodes) {
    const bool depends = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id != kNoValue && learns[Index(id)];
    });
    for (const ValueId id : node.outputs) {
      if (!depends || id == kNoValue) continue;
      learns[Index(id)] = true;
      if (leads[Index(id)] && GetOp(node.type).backward == nullptr) {
        return fmt::format("{} ({}) has no gradient", node.name, OpName(node.type));
      }
    }
  }
  return "";
}

// Of a difference of squares, as a share of them: less is no variance.
constexpr double kRounding = 1e-12;

void Spread::Add(const Tensor& activation) {
  const Shape& shape = activation.shape();
  const int64_t channels = shape[1];
  const int64_t area = activation.size() / (shape[0] * channels);
  sums_.resize(static_cast<size_t>(channels), 0);
  squares_.resize(static_cast<size_t>(channels), 0);
  count_ += shape[0] * area;
  ParallelFor(channels, [&](int64_t channel) {
    double sum = 0;
    double squares = 0;
    for (int64_t n = 0; n < shape[0]; ++n) {
      const float* x = activation.data() + (n * channels + channel) * area;
      for (int64_t i = 0; i < area; ++i) {
        sum += x[i];
        squares += double{x[i]} * x[i];
      }
    }
    sums_[static_cast<size_t>(channel)] += sum;
    squares_[static_cast<size_t>(channel)] += squares;
  });
}

void Spread::Add(const Spread& other) {
  sums_.resize(other.sums_.size(), 0);
  squares_.resize(other.sums_.size(), 0);
  for (size_t c = 0; c < sums_.size(); ++c) {
    sums_[c] += other.sums_[c];
    squares_[c] += other.squares_[c];
  }
  count_ += other.count_;
}

double Spread::Variance() const {
  const auto count = static_cast<double>(count_) * static_cast<double>(sums_.size());
  if (count == 0) return 0;
  const double mean = std::accumulate(sums_.begin(), sums_.end(), 0.0) / count;
  const double square = std::accumulate(squares_.begin(), squares_.end(), 0.0) / count;
  const double variance = square - mean * mean;
  return variance > kRounding * square ? variance : 0;
}

std::vector<double> Spread::ChannelDeviations() const {
  std::vector<double> deviations;
  const auto count = static_cast<double>(count_);
  for (size_t c = 0; c < sums_.size(); ++c) {
    const double mean = sums_[c] / count;
    const double variance = squares_[c] / count - mean * mean;
    deviations.push_back(variance > kRounding * squares_[c] / count ? std::sqrt(variance) : 0);
  }
  return deviations;
}

}  // namespace sparsify

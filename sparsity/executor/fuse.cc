#include "sparsity/executor/fuse.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/executor/bandwidth.h"
#include "sparsity/executor/simplify.h"
#include "sparsity/ops/window.h"

namespace sparsify {
namespace {

/// The layer's name: the weight's without a trailing ".weight" (graph/layers.h).
std::string LayerName(std::string_view weight) {
  constexpr std::string_view kSuffix = ".weight";
  if (weight.size() > kSuffix.size() && weight.ends_with(kSuffix)) {
    weight.remove_suffix(kSuffix.size());
  }
  return std::string(weight);
}

/// Grows one step from each node that no earlier step has taken.
class Fuser {
 public:
  Fuser(SimpleGraph simple, int64_t cache_bytes)
      : simple_(std::move(simple)), cache_bytes_(cache_bytes) {}

  std::vector<FusedStep> Steps() {
    std::vector<std::pair<size_t, FusedStep>> placed;
    taken_.assign(simple_.nodes.size(), false);
    for (size_t i = 0; i < simple_.nodes.size(); ++i) {
      if (taken_[i] || simple_.nodes[i].removed) continue;
      FusedStep step = Head(i);
      const size_t last = Extend(step, i);
      placed.emplace_back(last, std::move(step));
    }
    std::sort(placed.begin(), placed.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<FusedStep> steps;
    for (auto& [position, step] : placed) steps.push_back(std::move(step));
    return steps;
  }

  SimpleGraph TakeGraph() { return std::move(simple_); }

 private:
  const Shape& ShapeOf(ValueId id) const { return simple_.shapes[static_cast<size_t>(id)]; }

  FusedStep Head(size_t index) {
    const SimpleNode& source = simple_.nodes[index];
    FusedStep step;
    step.name = source.node.name;
    step.op = OpName(source.node.type);
    step.node = source.node;
    step.outputs = source.node.outputs;
    if (source.owns_weight) {
      step.weight = source.node.inputs[1];
      step.bias = source.node.inputs.size() > 2 ? source.node.inputs[2] : kNoValue;
      step.is_layer = source.is_layer;
      if (step.is_layer) step.name = LayerName(simple_.graph.value(step.weight).name);
      step.inputs = {source.inputs[0]};
      const int64_t per_output = ShapeOf(step.weight).NumElements() / ShapeOf(step.weight)[0];
      step.macs = ShapeOf(step.outputs[0]).NumElements() * per_output;
    } else {
      for (ValueId id : source.inputs) {
        if (id != kNoValue && !simple_.graph.value(id).is_parameter) step.inputs.push_back(id);
      }
    }
    if (const auto activation = ActivationOf(source.node)) step.activation = *activation;
    return step;
  }

  /// The only reader of `id`, or −1 when it has several, none, or is a graph output.
  int OnlyReader(ValueId id) const {
    const std::vector<int>& readers = simple_.readers[static_cast<size_t>(id)];
    if (readers.size() != 1 || simple_.IsOutput(id)) return -1;
    return readers[0];
  }

  /// Takes following nodes into `step`; returns the position of the last one taken.
  size_t Extend(FusedStep& step, size_t index) {
    const OpType head = step.node.type;
    const bool is_weighted = step.weight != kNoValue;
    const bool is_add = head == OpType::kAdd && step.inputs.size() == 2;
    if (!is_weighted && !is_add) return index;
    size_t last = index;
    for (int next = OnlyReader(step.outputs[0]); next >= 0; next = OnlyReader(step.outputs[0])) {
      const auto reader = static_cast<size_t>(next);
      if (taken_[reader] || step.pool ||
          !(TakeBias(step, reader) || TakeResidual(step, last, reader) ||
            TakeActivation(step, reader) || TakePool(step, reader))) {
        break;
      }
      taken_[reader] = true;
      step.outputs = simple_.nodes[reader].node.outputs;
      last = std::max(last, reader);
    }
    return last;
  }

  /// x·Wᵀ followed by the addition of one parameter an output.
  bool TakeBias(FusedStep& step, size_t reader) {
    const SimpleNode& add = simple_.nodes[reader];
    if (step.node.type != OpType::kMatMul || step.bias != kNoValue || step.weight == kNoValue ||
        step.residual != kNoValue || add.node.type != OpType::kAdd) {
      return false;
    }
    const ValueId other = add.inputs[0] == step.outputs[0] ? add.inputs[1] : add.inputs[0];
    if (!simple_.graph.value(other).is_parameter) return false;
    const Shape& shape = ShapeOf(other);
    const int64_t outputs = ShapeOf(step.weight)[0];
    if (shape.NumElements() != outputs || shape.rank() == 0 || shape[-1] != outputs) return false;
    if (ShapeOf(add.node.outputs[0]) != ShapeOf(step.outputs[0])) return false;
    step.bias = other;
    return true;
  }

  bool TakeResidual(FusedStep& step, size_t last, size_t reader) {
    const SimpleNode& add = simple_.nodes[reader];
    if (step.weight == kNoValue || step.residual != kNoValue || add.node.type != OpType::kAdd) {
      return false;
    }
    const bool first = add.inputs[0] == step.outputs[0];
    const ValueId other = add.inputs[first ? 1 : 0];
    if (other == step.outputs[0] || simple_.graph.value(other).is_parameter) return false;
    if (PixelShape(ShapeOf(other)) != PixelShape(ShapeOf(step.outputs[0]))) return false;
    if (LaterWeightedNodeMakes(other, last)) return false;
    step.residual = other;
    step.op += "+Add";
    return true;
  }

  /// Whether `id` comes straight from a convolution after `position`, which will take the Add.
  bool LaterWeightedNodeMakes(ValueId id, size_t position) const {
    const int producer = simple_.producer[static_cast<size_t>(id)];
    return producer > static_cast<int>(position) &&
           simple_.nodes[static_cast<size_t>(producer)].owns_weight && OnlyReader(id) >= 0;
  }

  bool TakeActivation(FusedStep& step, size_t reader) {
    if (step.activation.kind != ActivationKind::kNone) return false;
    const auto activation = ActivationOf(simple_.nodes[reader].node);
    if (!activation) return false;
    step.activation = *activation;
    step.op += "+";
    step.op += ActivationName(activation->kind);
    return true;
  }

  /// The MaxPool of a convolution whose result the cache does not hold. Depthwise and pointwise
  /// convolutions have kernels of their own that make no bands.
  bool TakePool(FusedStep& step, size_t reader) {
    const Node& pool = simple_.nodes[reader].node;
    if (step.node.type != OpType::kConv || step.weight == kNoValue || step.residual != kNoValue ||
        pool.type != OpType::kMaxPool || pool.outputs.size() != 1) {
      return false;
    }
    const Shape& weight = ShapeOf(step.weight);
    const bool is_pointwise = weight[2] == 1 && weight[3] == 1;
    const bool is_depthwise = step.node.attributes.Int("group", 1) > 1 && weight[1] == 1;
    const Shape& shape = ShapeOf(step.outputs[0]);
    const auto bytes = shape.NumElements() * static_cast<int64_t>(sizeof(float));
    if (is_pointwise || is_depthwise || bytes <= cache_bytes_) return false;
    const auto kernel = pool.attributes.Ints("kernel_shape", {});
    const Window window = ResolveWindow(pool, shape, kernel[0], kernel[1]);
    if (window.height.dilation != 1 || window.width.dilation != 1) return false;
    step.pool = pool;
    step.unpooled = step.outputs[0];
    step.op += "+MaxPool";
    return true;
  }

  SimpleGraph simple_;
  int64_t cache_bytes_;
  std::vector<bool> taken_;
};

}  // namespace

std::vector<ValueId> FusedStep::Operands() const {
  std::vector<ValueId> operands = inputs;
  if (residual != kNoValue) operands.push_back(residual);
  return operands;
}

FusedStep FusedStep::WithoutPool() const {
  FusedStep step = *this;
  step.op.erase(step.op.rfind('+'));
  step.pool.reset();
  step.unpooled = kNoValue;
  step.outputs = {unpooled};
  return step;
}

FusedStep FusedStep::PoolAlone() const {
  FusedStep step;
  step.name = pool->name;
  step.op = OpName(pool->type);
  step.node = *pool;
  step.inputs = {unpooled};
  step.outputs = outputs;
  return step;
}

FusedGraph Fuse(const Graph& graph, int64_t batch, int64_t cache_bytes) {
  FusedGraph fused;
  fused.cache_bytes = cache_bytes > 0 ? cache_bytes : PrivateCacheBytes();
  Fuser fuser(Simplify(graph, batch), fused.cache_bytes);
  fused.steps = fuser.Steps();
  SimpleGraph simple = fuser.TakeGraph();
  fused.graph = std::move(simple.graph);
  fused.shapes = std::move(simple.shapes);
  fused.outputs = std::move(simple.outputs);
  for (const Port& port : fused.graph.inputs) fused.inputs.push_back(port.value);
  return fused;
}

}  // namespace sparsify

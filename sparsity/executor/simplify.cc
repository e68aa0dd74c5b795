#include "sparsity/executor/simplify.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sparsity/graph/fold_batch_norm.h"
#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

bool IsWeighted(OpType type) {
  return type == OpType::kConv || type == OpType::kGemm || type == OpType::kMatMul;
}

class Simplifier {
 public:
  Simplifier(const Graph& graph, int64_t batch) {
    simple_.graph = FoldBatchNorms(graph);
    simple_.shapes = InferShapes(simple_.graph, batch);
    for (const Node& node : simple_.graph.nodes()) simple_.nodes.emplace_back().node = node;
  }

  SimpleGraph Run() {
    MakeAxesAbsolute();
    ResolveViews();
    RemoveDeadNodes();
    IndexReaders();
    for (size_t i = 0; i < simple_.nodes.size(); ++i) {
      if (simple_.nodes[i].removed) continue;
      RecogniseGatedActivation(i);
      BatchNormToConvolution(simple_.nodes[i]);
      MeanToGlobalPool(simple_.nodes[i]);
      MarkWeight(simple_.nodes[i]);
    }
    IndexReaders();
    return std::move(simple_);
  }

 private:
  const Shape& ShapeOf(ValueId id) const { return simple_.shapes[static_cast<size_t>(id)]; }
  bool IsParameter(ValueId id) const { return simple_.graph.value(id).is_parameter; }

  ValueId AddParameter(const std::string& name, Tensor data) {
    simple_.shapes.push_back(data.shape());
    return simple_.graph.AddParameter(name, std::move(data));
  }

  /// A negative axis counts from the end of the original rank, which resolving views changes.
  void MakeAxesAbsolute() {
    for (SimpleNode& n : simple_.nodes) {
      if (n.node.type != OpType::kSoftmax && n.node.type != OpType::kConcat) continue;
      const int64_t axis = n.node.attributes.Int("axis", -1);
      const int rank = ShapeOf(n.node.inputs[0]).rank();
      n.node.attributes.Set("axis", axis < 0 ? axis + rank : axis);
    }
  }

  bool IsView(const Node& node) const {
    if (node.type == OpType::kIdentity || node.type == OpType::kDropout) return true;
    if (node.type != OpType::kFlatten && node.type != OpType::kReshape) return false;
    const Shape& from = ShapeOf(node.inputs[0]);
    const Shape& to = ShapeOf(node.outputs[0]);
    if (PixelShape(from) == PixelShape(to)) return true;
    if (from.rank() != 4 || to.rank() != 2 || from[0] != to[0]) return false;
    const std::vector<int> readers = simple_.graph.Consumers(node.outputs[0]);
    return std::all_of(readers.begin(), readers.end(), [&](int reader) {
      const Node& r = simple_.graph.node(reader);
      return (r.type == OpType::kGemm || r.type == OpType::kMatMul) &&
             r.inputs[0] == node.outputs[0] && IsParameter(r.inputs[1]) &&
             r.attributes.Int("transA", 0) == 0;
    });
  }

  void ResolveViews() {
    root_.Reset(simple_.graph.values().size());
    for (SimpleNode& n : simple_.nodes) {
      for (ValueId id : n.node.inputs) n.inputs.push_back(root_.Of(id));
      if (IsView(n.node) && !IsParameter(n.node.inputs[0])) {
        root_.Set(n.node.outputs[0], n.inputs[0]);
        n.removed = true;
      }
    }
    for (const Port& port : simple_.graph.outputs) simple_.outputs.push_back(root_.Of(port.value));
  }

  void RemoveDeadNodes() {
    std::vector<bool> needed(simple_.graph.values().size(), false);
    for (ValueId id : simple_.outputs) needed[static_cast<size_t>(id)] = true;
    for (size_t i = simple_.nodes.size(); i-- > 0;) {
      SimpleNode& n = simple_.nodes[i];
      if (n.removed) continue;
      n.removed = std::none_of(n.node.outputs.begin(), n.node.outputs.end(),
                               [&](ValueId id) { return needed[static_cast<size_t>(id)]; });
      if (n.removed) continue;
      for (ValueId id : n.inputs) {
        if (id != kNoValue) needed[static_cast<size_t>(id)] = true;
      }
    }
  }

  void IndexReaders() {
    simple_.readers.assign(simple_.graph.values().size(), {});
    simple_.producer.assign(simple_.graph.values().size(), -1);
    for (size_t i = 0; i < simple_.nodes.size(); ++i) {
      const SimpleNode& n = simple_.nodes[i];
      if (n.removed) continue;
      for (ValueId id : n.inputs) {
        if (id == kNoValue) continue;
        std::vector<int>& readers = simple_.readers[static_cast<size_t>(id)];
        if (readers.empty() || readers.back() != static_cast<int>(i)) {
          readers.push_back(static_cast<int>(i));
        }
      }
      for (ValueId id : n.node.outputs) {
        simple_.producer[static_cast<size_t>(id)] = static_cast<int>(i);
      }
    }
  }

  /// Mul(x, Sigmoid(x)) → SiLU(x); Mul(x, HardSigmoid(x; 1/6, 1/2)) → HardSwish(x).
  void RecogniseGatedActivation(size_t index) {
    SimpleNode& mul = simple_.nodes[index];
    if (mul.node.type != OpType::kMul) return;
    for (int gate_input : {0, 1}) {
      const ValueId gate = mul.inputs[static_cast<size_t>(gate_input)];
      const ValueId x = mul.inputs[static_cast<size_t>(1 - gate_input)];
      const int producer = simple_.producer[static_cast<size_t>(gate)];
      if (producer < 0 || simple_.readers[static_cast<size_t>(gate)].size() != 1) continue;
      SimpleNode& source = simple_.nodes[static_cast<size_t>(producer)];
      if (simple_.IsOutput(gate) || source.inputs[0] != x || !IsGate(source.node)) continue;
      mul.node.type = source.node.type == OpType::kSigmoid ? OpType::kSiLU : OpType::kHardSwish;
      mul.node.inputs = {mul.node.inputs[static_cast<size_t>(1 - gate_input)]};
      mul.inputs = {x};
      source.removed = true;
      IndexReaders();
      return;
    }
  }

  static bool IsGate(const Node& node) {
    if (node.type == OpType::kSigmoid) return true;
    if (node.type != OpType::kHardSigmoid) return false;
    constexpr double kTolerance = 1e-5;
    return std::abs(node.attributes.Float("alpha", 0.2) - 1.0 / 6) < kTolerance &&
           std::abs(node.attributes.Float("beta", 0.5) - 0.5) < kTolerance;
  }

  /// y = x·s + (b − mean·s) with s = scale/√(var + ε), a channel at a time.
  void BatchNormToConvolution(SimpleNode& n) {
    if (n.node.type != OpType::kBatchNormalization) return;
    const Shape input = ShapeOf(n.node.inputs[0]);
    if (input.rank() != 4 && input.rank() != 2) return;
    for (size_t i = 1; i < 5; ++i) {
      if (!IsParameter(n.node.inputs[i])) return;
    }
    const auto parameter = [&](size_t i) -> const Tensor& {
      return simple_.graph.value(n.node.inputs[i]).data;
    };
    const int64_t channels = input[1];
    const double epsilon = n.node.attributes.Float("epsilon", 1e-5);
    Tensor weight(Shape{channels, 1, 1, 1});
    Tensor bias(Shape{channels});
    for (int64_t c = 0; c < channels; ++c) {
      const double scale = parameter(1)[c] / std::sqrt(double{parameter(4)[c]} + epsilon);
      weight[c] = static_cast<float>(scale);
      bias[c] = static_cast<float>(parameter(2)[c] - double{parameter(3)[c]} * scale);
    }
    const std::string& made = simple_.graph.value(n.node.outputs[0]).name;
    const ValueId w = AddParameter(made + "/scale", std::move(weight));
    const ValueId b = AddParameter(made + "/shift", std::move(bias));
    n.node.type = OpType::kConv;
    n.node.inputs = {n.node.inputs[0], w, b};
    n.inputs = {n.inputs[0], w, b};
    n.node.attributes = Attributes();
    n.node.attributes.Set("kernel_shape", std::vector<int64_t>{1, 1});
    n.node.attributes.Set("group", channels);
    n.owns_weight = true;
  }

  void MeanToGlobalPool(SimpleNode& n) {
    if (n.node.type != OpType::kReduceMean) return;
    const Shape& from = ShapeOf(n.node.inputs[0]);
    if (from.rank() != 4) return;
    std::vector<int64_t> axes = n.node.attributes.Ints("axes", {});
    for (int64_t& axis : axes) axis += axis < 0 ? from.rank() : 0;
    std::sort(axes.begin(), axes.end());
    if (axes == std::vector<int64_t>{2, 3}) n.node.type = OpType::kGlobalAveragePool;
  }

  void MarkWeight(SimpleNode& n) {
    if (!IsWeighted(n.node.type) || n.owns_weight || !IsParameter(n.node.inputs[1])) return;
    if (IsParameter(n.inputs[0])) return;
    const Shape& weight = ShapeOf(n.node.inputs[1]);
    const bool has_bias = n.node.inputs.size() > 2 && n.node.inputs[2] != kNoValue;
    if (has_bias &&
        (!IsParameter(n.node.inputs[2]) || ShapeOf(n.node.inputs[2]).NumElements() != weight[0])) {
      return;
    }
    if (n.node.type == OpType::kConv) {
      if (weight.rank() != 4) return;
    } else {
      if (weight.rank() != 2 || ShapeOf(n.node.inputs[0]).rank() != 2 ||
          n.node.attributes.Int("transA", 0) != 0 || n.node.attributes.Int("transB", 0) != 1) {
        return;
      }
      ApplyGemmScale(n, has_bias);
    }
    n.owns_weight = true;
    n.is_layer = true;
  }

  /// y = alpha·x·Wᵀ + beta·bias → y = x·W'ᵀ + bias'.
  void ApplyGemmScale(SimpleNode& n, bool has_bias) {
    const auto scaled = [&](size_t input, const char* key) {
      const double factor = n.node.attributes.Float(key, 1.0);
      if (factor == 1.0) return;
      const Value& value = simple_.graph.value(n.node.inputs[input]);
      Tensor data = value.data;
      for (float& x : data.values()) x = static_cast<float>(x * factor);
      const std::string& made = simple_.graph.value(n.node.outputs[0]).name;
      const ValueId id = AddParameter(made + "/" + key + "/" + value.name, std::move(data));
      n.node.inputs[input] = n.inputs[input] = id;
    };
    scaled(1, "alpha");
    if (has_bias) scaled(2, "beta");
  }

  /// Which value a view stands for.
  class Roots {
   public:
    void Reset(size_t values) {
      root_.resize(values);
      for (size_t i = 0; i < values; ++i) root_[i] = static_cast<ValueId>(i);
    }
    ValueId Of(ValueId id) const { return id == kNoValue ? id : root_[static_cast<size_t>(id)]; }
    void Set(ValueId view, ValueId root) { root_[static_cast<size_t>(view)] = root; }

   private:
    std::vector<ValueId> root_;
  };

  SimpleGraph simple_;
  Roots root_;
};

}  // namespace

bool SimpleGraph::IsOutput(ValueId id) const {
  return std::find(outputs.begin(), outputs.end(), id) != outputs.end();
}

Shape PixelShape(const Shape& shape) {
  return shape.rank() == 2 ? Shape{shape[0], shape[1], 1, 1} : shape;
}

SimpleGraph Simplify(const Graph& graph, int64_t batch) { return Simplifier(graph, batch).Run(); }
}  // namespace sparsify

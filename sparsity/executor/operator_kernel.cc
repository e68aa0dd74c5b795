#include "sparsity/executor/operator_kernel.h"

#include <cstring>
#include <utility>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/op.h"

namespace sparsify {
namespace {

const Shape& ShapeOf(const FusedGraph& graph, ValueId id) {
  return graph.shapes[static_cast<size_t>(id)];
}

void Copy(const float* from, float* to, int64_t count) {
  std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
}

class OperatorKernel : public StepKernel {
 public:
  OperatorKernel(const FusedGraph& graph, const FusedStep& step)
      : node_(step.node), forward_(GetOp(step.node.type).forward) {
    AddOperands(graph, step);
    for (ValueId id : step.outputs) {
      outputs_.push_back(Tensor::Uninitialized(ShapeOf(graph, id)));
      info_.outputs.push_back(PlainLayout());
    }
    for (ValueId id : step.Operands()) {
      (void)id;
      info_.inputs.push_back(PlainLayout());
    }
    has_residual_ = step.residual != kNoValue;
    const bool in_node = node_.inputs.size() > 2;
    if (step.bias != kNoValue && !in_node) bias_ = graph.graph.value(step.bias).data;
    if (!ActivationOf(step.node)) activation_ = step.activation;
    info_.name = "operator " + std::string(OpName(node_.type));
    for (const Operand& operand : operands_) {
      if (operand.is_parameter) info_.constant_bytes += operand.data.size() * 4;
    }
    info_.constant_bytes += bias_.size() * 4;
  }

  void Run(const KernelBuffers& buffers) const override {
    size_t next = 0;
    std::vector<const Tensor*> inputs;
    for (const Operand& operand : operands_) {
      if (operand.is_present && !operand.is_parameter) {
        Copy(buffers.inputs[next++], operand.data.data(), operand.data.size());
      }
      inputs.push_back(operand.is_present ? &operand.data : nullptr);
    }
    std::vector<Tensor*> outputs;
    for (Tensor& output : outputs_) outputs.push_back(&output);
    forward_(node_, inputs, outputs);
    for (size_t i = 0; i < outputs_.size(); ++i) {
      Finish(outputs_[i], has_residual_ ? buffers.inputs[next] : nullptr, buffers.outputs[i]);
    }
  }

 private:
  struct Operand {
    mutable Tensor data;
    bool is_present = true;
    bool is_parameter = false;
  };

  void AddOperands(const FusedGraph& graph, const FusedStep& step) {
    for (ValueId id : step.node.inputs) {
      Operand operand;
      operand.is_present = id != kNoValue;
      if (operand.is_present) {
        operand.is_parameter = graph.graph.value(id).is_parameter;
        operand.data = operand.is_parameter ? graph.graph.value(id).data
                                            : Tensor::Uninitialized(ShapeOf(graph, id));
      }
      operands_.push_back(std::move(operand));
    }
  }

  /// to = activation(result + bias + residual).
  void Finish(const Tensor& result, const float* residual, float* to) const {
    const int64_t channels = bias_.size();
    for (int64_t i = 0; i < result.size(); ++i) {
      float y = result[i];
      if (channels > 0) y += bias_[i % channels];
      if (residual != nullptr) y += residual[i];
      to[i] = activation_.kind == ActivationKind::kNone ? y : Activate(activation_, y);
    }
  }

  Node node_;
  void (*forward_)(const Node&, OpInputs, OpOutputs);
  std::vector<Operand> operands_;
  mutable std::vector<Tensor> outputs_;
  Tensor bias_;  // of a fused addition, along the last dimension
  Activation activation_;
  bool has_residual_ = false;
};

class ViewKernel : public StepKernel {
 public:
  explicit ViewKernel(int64_t count) : count_(count) {
    info_.name = "view";
    info_.inputs = {PlainLayout()};
    info_.outputs = {PlainLayout()};
    info_.shared_input = 0;
  }

  void Run(const KernelBuffers& buffers) const override {
    if (buffers.inputs[0] != buffers.outputs[0]) {
      Copy(buffers.inputs[0], buffers.outputs[0], count_);
    }
  }

 private:
  int64_t count_;
};

}  // namespace

KernelPtr MakeOperatorKernel(const FusedGraph& graph, const FusedStep& step) {
  return std::make_unique<OperatorKernel>(graph, step);
}

KernelPtr MakeViewKernel(const FusedGraph& graph, const FusedStep& step) {
  return std::make_unique<ViewKernel>(ShapeOf(graph, step.outputs[0]).NumElements());
}

}  // namespace sparsify

// Forward and backward pass of one unit, with some of its parameters replaced.
#pragma once

#include <map>
#include <vector>

#include "reconstruction/unit.h"
#include "sparsity/graph/graph.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

class UnitRunner {
 public:
  /// Keeps a reference: `graph` must outlive the runner. Its weights may change between passes.
  UnitRunner(const Graph& graph, const Unit& unit);

  /// Computes every activation of the unit. `inputs` holds all of unit.inputs (others are
  /// ignored); `overrides` replaces parameters by tensors of the same shape. Inputs, overrides and
  /// weights must stay alive and unchanged until Backward has returned. Throws Error naming what
  /// is missing or does not fit. Memory is kept between calls.
  void Forward(const std::map<ValueId, const Tensor*>& inputs,
               const std::map<ValueId, const Tensor*>& overrides);

  /// An activation that the unit made in the last Forward, inner ones included.
  const Tensor& Output(ValueId id) const;

  /// Gradients of Σ over `grad_outputs` of ⟨gradient, activation⟩, after a Forward. The keys of
  /// grad_outputs are activations that the unit makes (inner ones too). The keys of
  /// `parameter_grads` say what is wanted: parameters of the unit, or its inputs; their tensors
  /// are resized and overwritten, with zeros where nothing depends on them. Nothing else is
  /// computed. Throws Error naming the node that stands in the way without a gradient.
  void Backward(const std::map<ValueId, const Tensor*>& grad_outputs,
                std::map<ValueId, Tensor>& parameter_grads);

 private:
  class BackwardPass;

  const Tensor* ParameterOf(ValueId id, const std::map<ValueId, const Tensor*>& overrides) const;
  void RunNode(const Node& node);
  bool Makes(ValueId id) const;

  const Graph& graph_;
  Unit unit_;
  std::vector<Tensor> owned_;             // by ValueId: activations made here
  std::vector<const Tensor*> current_;    // by ValueId: everything the unit's nodes read or make
  std::multimap<int64_t, Tensor> spare_;  // by size: gradients of earlier passes
  int64_t input_elements_ = 0;
  bool has_forward_ = false;
};

}  // namespace sparsify

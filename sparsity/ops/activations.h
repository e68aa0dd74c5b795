// Element-wise activations: Relu, Clip, Sigmoid, HardSigmoid, HardSwish, SiLU.
// Clip's bounds are the attributes min and max; an absent one does not bound.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

// Output shapes: SameShape (node_check.h).
/// What an activation limits values to: low where x < low, high where x > high, else x itself (NaN
/// too).
struct ValueRange {
  float low;
  float high;

  void Limit(float* x, int64_t count) const;
};
/// Of Relu and Clip; the others have none.
std::optional<ValueRange> RangeOf(const Node& node);

void ReluForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void ClipForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void SigmoidForward(const Node& node, OpInputs inputs, OpOutputs outputs);
/// y = max(0, min(1, alpha · x + beta)), alpha 0.2 and beta 0.5 by default.
void HardSigmoidForward(const Node& node, OpInputs inputs, OpOutputs outputs);
/// y = x · max(0, min(1, x / 6 + 0.5)).
void HardSwishForward(const Node& node, OpInputs inputs, OpOutputs outputs);
/// y = x · sigmoid(x).
void SiLUForward(const Node& node, OpInputs inputs, OpOutputs outputs);

/// At a corner the gradient is that of the flat side.
void ReluBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                  OpOutputs grad_inputs);
void ClipBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                  OpOutputs grad_inputs);
void SigmoidBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                     OpOutputs grad_inputs);
void HardSigmoidBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                         OpOutputs grad_inputs);
void HardSwishBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                       OpOutputs grad_inputs);
void SiLUBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                  OpOutputs grad_inputs);

}  // namespace sparsify

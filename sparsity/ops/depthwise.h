// Depthwise convolution and its gradients on plain N×C×H×W memory.
//
// Each channel is a small problem of its own that stays in the first cache: no reordering, as
// oneDNN needs it. The input plane is spread over stride × stride sub-planes with its padding
// (element (y, x) of the padded plane is element (y/s, x/s) of sub-plane (y mod s, x mod s)), all
// of one row length; then every tap of the kernel reads one contiguous run of memory, whatever the
// stride and the dilation.
#pragma once

#include "sparsity/ops/onednn.h"

namespace sparsify {

/// One input channel and one output channel a group.
bool IsDepthwise(const ConvProblem& problem);

/// The same as OnednnConv and OnednnConvGradients for a problem that IsDepthwise.
void DepthwiseConv(const ConvProblem& problem, const float* x, const float* w, const float* bias,
                   float* y);
void DepthwiseGradInput(const ConvProblem& problem, const float* w, const float* grad_y,
                        float* grad_x);
void DepthwiseGradWeight(const ConvProblem& problem, const float* x, const float* grad_y,
                         float* grad_w);

}  // namespace sparsify

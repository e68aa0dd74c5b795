// Steps as oneDNN primitives. Each function returns null when oneDNN has nothing for the
// step but its unoptimised reference.
#pragma once

#include <vector>

#include "sparsity/executor/fuse.h"
#include "sparsity/executor/kernel.h"

namespace sparsify::onednn {

/// Conv, Gemm or MatMul with a weight: residual summed into the output's memory, activation
/// fused, formats oneDNN's own choice.
KernelPtr MakeConvolution(const FusedGraph& graph, const FusedStep& step);
KernelPtr MakeInnerProduct(const FusedGraph& graph, const FusedStep& step);

/// The others follow the format their operands are in; `available`, one an operand, is
/// kPlain or kBlocked.
KernelPtr MakePool(const FusedGraph& graph, const FusedStep& step,
                   const std::vector<Layout>& available);
KernelPtr MakeActivation(const FusedGraph& graph, const FusedStep& step,
                         const std::vector<Layout>& available);
KernelPtr MakeBinary(const FusedGraph& graph, const FusedStep& step,
                     const std::vector<Layout>& available);
KernelPtr MakeConcat(const FusedGraph& graph, const FusedStep& step,
                     const std::vector<Layout>& available);
KernelPtr MakeSoftmax(const FusedGraph& graph, const FusedStep& step,
                      const std::vector<Layout>& available);
KernelPtr MakeLrn(const FusedGraph& graph, const FusedStep& step,
                  const std::vector<Layout>& available);

/// Copies a value of this shape from one kPlain or kBlocked layout to another.
KernelPtr MakeReorder(const Shape& shape, const Layout& from, const Layout& to);

}  // namespace sparsify::onednn

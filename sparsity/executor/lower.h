// Fused steps + a kernel for each → the list of kernel calls with reorders between them and
// every operand in a numbered buffer.
#pragma once

#include <functional>
#include <vector>

#include "sparsity/executor/fuse.h"
#include "sparsity/executor/kernel.h"

namespace sparsify {

struct LoweredBuffer {
  int64_t bytes = 0;
  int first = 0;  // calls, both included
  int last = 0;
  int input = -1;   // the graph input it is, memory of the caller's
  int output = -1;  // the graph output it is, memory of the caller's

  bool is_external() const { return input >= 0 || output >= 0; }
};

struct LoweredCall {
  KernelPtr kernel;
  int step = -1;             // index into FusedGraph::steps; −1: a reorder or copy
  ValueId value = kNoValue;  // of a reorder: what it moves
  std::vector<int> inputs;   // buffers
  std::vector<int> outputs;
};

struct Lowered {
  std::vector<LoweredCall> calls;
  std::vector<LoweredBuffer> buffers;
};

/// Makes the kernel of a step, given the layout each operand exists in.
using KernelFactory = std::function<KernelPtr(size_t step, const std::vector<Layout>& available)>;
/// Makes the kernel that copies a value of this shape between layouts (which may be equal).
using ReorderFactory =
    std::function<KernelPtr(const Shape& shape, const Layout& from, const Layout& to)>;

Lowered Lower(const FusedGraph& graph, const KernelFactory& make_kernel,
              const ReorderFactory& make_reorder);

}  // namespace sparsify

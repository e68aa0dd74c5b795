// Graph → list of fused steps: what one kernel call computes.
//
// Batch norms are folded, a convolution or fully connected node takes the addition of a
// residual and the activation behind it along, a convolution with a large result also the
// max-pool that alone reads it, x·Sigmoid(x) and its hard form become one activation, pure
// views disappear, and nodes nobody reads are dropped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/executor/activation.h"
#include "sparsity/graph/graph.h"

namespace sparsify {

/// One step: y = activation(node(inputs) + residual), or y = pool(activation(node(inputs))).
struct FusedStep {
  std::string name;             // of the prunable layer, else of the leading node
  std::string op;               // "Conv+Add+Relu", "Conv+Relu+MaxPool"
  Node node;                    // the leading node; its input ids have views resolved
  std::vector<ValueId> inputs;  // activations it reads, in node order, without the residual
  std::vector<ValueId> outputs;
  ValueId weight = kNoValue;    // Conv and Gemm, MatMul with a parameter
  ValueId bias = kNoValue;      // one element an output channel
  ValueId residual = kNoValue;  // of the output's shape
  Activation activation;
  std::optional<Node> pool;     // MaxPool
  ValueId unpooled = kNoValue;  // what it reads: no operand or output of any step
  bool is_layer = false;        // owns a prunable weight
  int64_t macs = 0;             // dense, whole batch
  bool winograd = false;        // its dense kernel computes by Winograd's algorithm

  /// inputs, then the residual when there is one: the order kernels read their operands in.
  std::vector<ValueId> Operands() const;
  /// The two steps that a step with a pool stands for.
  FusedStep WithoutPool() const;
  FusedStep PoolAlone() const;
};

/// The graph (owned, batch norms folded) as steps in execution order.
///
/// `shapes` holds every value's shape with the batch bound. A value of rank 2 and one of
/// rank 4 with 1×1 pixels are the same to every kernel, so that a Flatten between them
/// vanishes; a fully connected step may also read a rank-4 value directly.
struct FusedGraph {
  Graph graph;
  std::vector<Shape> shapes;
  std::vector<FusedStep> steps;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;  // views resolved: the value whose bytes are the output
  int64_t cache_bytes = 0;       // of one core
};

/// `cache_bytes`: of one core, 0: PrivateCacheBytes(); a convolution takes its pool along when its
/// result is larger. Throws Error when the shapes do not fit.
FusedGraph Fuse(const Graph& graph, int64_t batch, int64_t cache_bytes = 0);

}  // namespace sparsify

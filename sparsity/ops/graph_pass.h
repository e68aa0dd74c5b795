// Forward and backward pass over some nodes of a graph, or all of them, with some parameters
// replaced, and with batch normalisation frozen or in training.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sparsity/graph/graph.h"
#include "sparsity/ops/activation_gradients.h"
#include "sparsity/ops/activations.h"
#include "sparsity/ops/batch_normalization_training.h"
#include "sparsity/ops/channel_blocks.h"
#include "sparsity/ops/precision.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

enum class BatchNormMode {
  kFrozen,    // by the running statistics that the network has, as at inference
  kTraining,  // by mean and biased variance of the batch, through which gradients flow
};

/// What a BatchNormalization node has seen of a batch, for running statistics.
struct BatchStatistics {
  int node = 0;     // index into graph.nodes()
  Tensor mean;      // one number a channel
  Tensor variance;  // unbiased: of n values, Σ (x − mean)² / (n − 1)
};

/// An activation or its gradient, plain or in channel blocks.
struct LaidOut {
  LaidOut(const Tensor* t, bool in_blocks = false) : tensor(t), blocked(in_blocks) {}

  const Tensor* tensor;
  bool blocked;
};

class GraphPass {
 public:
  /// Keeps a reference: `graph` must outlive the pass. Its weights may change between calls.
  /// `nodes` are indices in topological order, `inputs` the activations that they read and do not
  /// make; `name` is where errors say that they happen. Every other operator computes as at
  /// inference in both modes (Dropout passes its input on). Activations may lie in channel blocks
  /// (channel_blocks.h) within the pass; what it takes and gives is plain.
  GraphPass(const Graph& graph, std::vector<int> nodes, std::vector<ValueId> inputs,
            std::string name, BatchNormMode mode = BatchNormMode::kFrozen,
            Precision precision = Precision::kF32);

  /// All nodes, from the graph's inputs; called like the graph.
  static GraphPass WholeNetwork(const Graph& graph, BatchNormMode mode = BatchNormMode::kFrozen,
                                Precision precision = Precision::kF32);

  /// Computes every activation of the nodes. `inputs` holds all of the constructor's (others are
  /// ignored); `overrides` replaces parameters by tensors of the same shape. Inputs, overrides and
  /// weights must stay alive and unchanged until Backward has returned. Throws Error naming what
  /// is missing or does not fit. Memory is kept between calls.
  void Forward(const std::map<ValueId, const Tensor*>& inputs,
               const std::map<ValueId, const Tensor*>& overrides);

  /// From now on this process computes a share of every batch; to be called before each Forward.
  /// Batch norm in training then has the moments of the whole batch. Gradients of parameters are
  /// those of this share, to be added up by the caller; those of an empty share (whose inputs are
  /// any that fit) mean nothing.
  void Share(const BatchShare& share) { share_ = share; }

  /// An activation that was made in the last Forward, inner ones included, but for those of a
  /// batch norm in training that Relu or Clip alone reads: they are computed together. Not to be
  /// called by several threads at once.
  const Tensor& Output(ValueId id) const { return Output(id, /*blocked=*/false); }
  /// The same as it lies (see LiesInBlocks), or in the other layout.
  const Tensor& Output(ValueId id, bool blocked) const;
  /// Whether an activation of the last Forward was made in channel blocks.
  bool LiesInBlocks(ValueId id) const;

  /// Gradients of Σ over `grad_outputs` of ⟨gradient, activation⟩, after a Forward. The keys of
  /// grad_outputs are activations that the nodes make (inner ones too). The keys of
  /// `parameter_grads` say what is wanted: parameters of the nodes, or inputs of the pass; their
  /// tensors are resized and overwritten, with zeros where nothing depends on them. Nothing else
  /// is computed. Throws Error naming the node that stands in the way without a gradient.
  void Backward(const std::map<ValueId, LaidOut>& grad_outputs,
                std::map<ValueId, Tensor>& parameter_grads);

  /// Of the last Forward, in the order of the nodes; empty where batch norm is frozen.
  const std::vector<BatchStatistics>& batch_statistics() const { return batch_statistics_; }

 private:
  class BackwardPass;
  struct Converted {
    bool is_valid = false;
    Tensor tensor;
  };

  const Tensor* ParameterOf(ValueId id, const std::map<ValueId, const Tensor*>& overrides) const;
  void RunNode(int index);
  bool TakesBlocks() const;
  void JoinActivations();
  std::vector<bool> FindFeedersOfDepthwise() const;
  NodeBlocks ChooseBlocks(int index, const std::vector<Shape>& shapes) const;
  const Tensor* Find(ValueId id, bool blocked) const;
  bool Trains(const Node& node) const;
  bool Makes(ValueId id) const;
  void CheckMade(ValueId id) const;

  const Graph& graph_;
  std::vector<int> nodes_;
  std::vector<ValueId> inputs_;
  std::string name_;
  BatchNormMode mode_;
  Precision precision_;
  std::vector<Tensor> owned_;              // by ValueId: activations made here
  std::vector<const Tensor*> current_;     // by ValueId: everything the nodes read or make
  std::vector<bool> blocked_;              // by ValueId: lies in channel blocks
  std::vector<NodeBlocks> node_blocks_;    // by node
  std::vector<Precision> node_precision_;  // by node
  bool takes_blocks_;
  std::map<int, ValueRange> joined_;                // by batch norm: of its activation
  std::vector<ValueId> stored_;                     // by ValueId: in whose tensor it lies
  std::vector<bool> feeds_depthwise_;               // by node
  mutable std::map<ValueId, Converted> converted_;  // activations in their other layout
  SpareTensors spare_;                              // of gradients of earlier passes
  std::map<int, BatchMoments> moments_;             // by node
  std::vector<BatchStatistics> batch_statistics_;
  BatchShare share_;
  int64_t input_elements_ = 0;
  bool has_forward_ = false;
};

}  // namespace sparsify

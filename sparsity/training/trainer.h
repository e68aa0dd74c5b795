// The training loop: forward and backward pass over batches of labelled images, the optimiser's
// steps, running statistics of batch norm, and a pruning rule in between.
//
// What learns: the weights and biases of all layers, and scale and bias of batch norm. Every other
// parameter is a constant. What is minimised is losses.h; weights alone decay.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/base/communicator.h"
#include "sparsity/data/dataset.h"
#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"
#include "sparsity/mask/pruning_rule.h"
#include "sparsity/training/training_options.h"
#include "sparsity/training/training_state.h"

namespace sparsify {

struct TrainingTask {
  Graph& graph;  // one image input, one output of class scores; trained in place
  const std::vector<Layer>& layers;
  const Dataset& data;
  int64_t label_offset = 0;        // network class = label + label_offset
  const Graph* teacher = nullptr;  // for distillation; has the network's inputs and outputs
  uint64_t seed = 0;
  int64_t steps = 1;  // of this stage

  PruningRule* rule = nullptr;   // null: nothing is pruned
  std::vector<double> sparsity;  // with a rule: of each layer, fraction; negative: stays dense

  std::string title;  // of progress and messages; empty: silent

  /// A state of this stage to go on from (step > 0), or what an earlier stage has left (step 0:
  /// its parameters, optimiser and position are taken over, its masks and its rule's state are
  /// not).
  std::optional<TrainingState> start = {};
  /// Where the state is saved every save_interval seconds and when a signal comes; empty: never.
  std::string state_path = {};
  /// Called with all rows so far after each new one; may be empty.
  std::function<void(const std::vector<TrainingRow>& rows)> on_row = {};

  /// Several processes that make the steps together, each computing its rows of every batch, with
  /// the same task (data, seed, start …); null: alone. The batch norm's moments, loss and gradients
  /// are those of the whole batch, so that the result is that of one process to rounding, and the
  /// same bits on every rank. Rank 0 saves the state.
  Communicator* ranks = nullptr;
};

struct TrainingResult {
  std::map<std::string, Mask> masks;      // by value name; the graph holds the masked weights
  TrainingState state;                    // with the latent weights, after the last step
  std::map<std::string, double> seconds;  // wall time: "load", "forward", "backward", …
};

/// Trains. The same seed and threads give the same network and rows (times apart), in one go or
/// interrupted and continued. A final Softmax is left out while training; batches lose their broken
/// images, and a batch that has none left, or too few for a network of fixed batch size, is no
/// step. Throws Error for what CheckTraining (training_checks.h) refuses, on a state of another
/// network or run, on a label outside the network's classes or a missing one (naming the image),
/// when all images are broken, when a loss, gradient or parameter is not finite (naming the step
/// and the first image, layer or parameter that is not; the last saved state stays), and what the
/// operators, the rule and the dataset throw. On Ctrl-C (of any rank) the state is saved before
/// Error(kInterrupted) goes out. An Error of one rank leaves the others waiting: end them.
TrainingResult Train(const TrainingTask& task, const TrainingOptions& options);

}  // namespace sparsify

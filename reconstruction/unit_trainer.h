// The optimiser steps of one unit: batches from the kept activations, the best weights of all
// that were measured.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "reconstruction/activation_store.h"
#include "reconstruction/unit_parameters.h"
#include "sparsity/base/progress.h"
#include "sparsity/base/random.h"
#include "sparsity/ops/graph_pass.h"

namespace sparsify {

/// Where a unit's inputs and the outputs it shall have are kept, by the student's ids.
struct UnitData {
  std::map<ValueId, const ActivationStore*> inputs;
  std::map<ValueId, const ActivationStore*> targets;
};

class UnitTrainer {
 public:
  /// Keeps references. `random` draws the batches.
  UnitTrainer(const Graph& student, const Unit& unit, UnitData data, const ImageBlocks& blocks,
              UnitParameters& parameters, const UnitRepairOptions& options, const Random& random);

  /// Measures the loss on the images held back, or on all where none are, and remembers the
  /// weights when it is the least so far. The first call measures what the unit began with.
  /// Throws Error when the loss is not finite.
  void Consider();

  /// Steps until max_count, early_stop, or patience. Polls for Ctrl-C; advances `progress` (may be
  /// null) by max_count. Throws Error naming the step where the loss is not finite.
  void Run(Progress* progress);

  /// The remembered weights go back into the student.
  void Finish();

  /// Forward passes over the images that are trained on, block by block; what the unit made is
  /// then in the pass.
  void ForEachTrainingBlock(const std::function<void(const GraphPass&)>& body);

  int64_t steps() const { return steps_; }
  double first_loss() const { return first_loss_; }
  double best_loss() const { return best_loss_; }
  /// Σ over output channels of the targets' variance, over the images that Consider measures.
  double variance() const { return variance_; }
  /// Why the steps ended before max_count, or that they brought nothing; else empty.
  const std::string& remark() const { return remark_; }

 private:
  bool Stalled();
  bool Step(double factor);
  void Draw();
  void FetchBlock(int64_t k);
  void FetchImages(const std::vector<int64_t>& images);
  double Measure();
  double LossOfOutputs(bool with_gradient);
  void CheckFinite(double loss) const;

  const Unit& unit_;
  const UnitData data_;
  const ImageBlocks& blocks_;
  UnitParameters& parameters_;
  const UnitRepairOptions& options_;
  Random random_;
  GraphPass pass_;

  std::map<ValueId, Tensor> buffers_;         // of activations that are not lent by their store
  std::map<ValueId, const Tensor*> inputs_;   // of the present batch
  std::map<ValueId, const Tensor*> targets_;  // the same
  std::map<ValueId, Tensor> output_gradients_;
  std::map<ValueId, LaidOut> gradient_pointers_;
  std::vector<int64_t> order_;  // training images, shuffled
  size_t next_ = 0;             // of order_

  int64_t steps_ = 0;
  bool measured_ = false;
  double first_loss_ = 0;
  double best_loss_ = 0;
  double variance_ = 0;
  int64_t best_step_ = 0;
  bool is_best_ = true;  // the student holds the remembered weights
  UnitParameters::Snapshot best_;
  std::string remark_;
};

}  // namespace sparsify

// What a scheduler does to the weights of a network while the network is trained.
//
// The network computes with Ŵ, the optimiser moves W (METHODS: FakeSparse). A rule decides, step by
// step, which mask stands between the two and what of the loss's gradient reaches W. The training
// loop calls it in this order:
//   Begin, then each step: Prepare → forward and backward pass with Ŵ → Backward → optimiser,
//   and after the last step: Finish.
// Where several processes train together each has a rule of its own, which sees the same bits as
// the others' and must decide by what it sees, the step and the seed alone.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "sparsity/mask/mask.h"
#include "sparsity/mask/mask_generator.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// One prunable weight in training.
class TrainedWeight {
 public:
  /// Nothing is pruned. `sparsity` is the fraction that is to be gone when training ends.
  TrainedWeight(std::string name, Tensor latent, double sparsity, const MaskContext& context);

  const std::string& name() const { return name_; }  // of the value in the graph
  double sparsity() const { return sparsity_; }
  /// Its layer_name is name(), and is valid while this object stays where it is.
  MaskContext context() const;

  Tensor latent;     // W
  Tensor effective;  // Ŵ

  const Mask& mask() const { return mask_; }
  /// The mask as 0 and 1.
  const Tensor& keep() const { return keep_; }
  /// Throws Error when the shape differs.
  void SetMask(Mask mask);

  /// Ŵ = W ⊙ M, with +0 where M is 0 whatever W is. On all threads.
  void ShowMasked();
  /// ∂L/∂Ŵ becomes M ⊙ ∂L/∂Ŵ. Throws Error when the shape differs. On all threads.
  void MaskGradient(Tensor& gradient) const;

 private:
  std::string name_;
  double sparsity_;
  MaskContext context_;
  Mask mask_;
  Tensor keep_;
};

/// Where training stands.
struct StepInfo {
  int64_t step = 0;          // from 0
  int64_t steps = 0;         // in all
  double learning_rate = 0;  // of this step
};

/// What Prepare has changed.
struct Prepared {
  bool masks = false;           // some mask
  bool reset_momentum = false;  // the optimiser is to forget what it has averaged
};

class PruningRule {
 public:
  virtual ~PruningRule() = default;

  /// The scheduler's type name, for messages.
  virtual std::string_view type() const = 0;

  /// Before the first step, and before the first step of a continued run (SetState comes after).
  /// `weights` are those that the run begins with; of a continued run, with their masks.
  virtual void Begin(std::span<TrainedWeight> weights, int64_t steps) = 0;

  /// Settles mask and effective of every weight for the step. Called for every step from that of
  /// Begin on, in order.
  virtual Prepared Prepare(const StepInfo& info, std::span<TrainedWeight> weights) = 0;

  /// `gradients` hold ∂L/∂Ŵ of every weight, pruned places included, and leave as ∂L/∂W. False: the
  /// optimiser makes no step with them.
  virtual bool Backward(const StepInfo& info, std::span<TrainedWeight> weights,
                        std::span<Tensor* const> gradients) = 0;

  /// Whether pruned weights must stay where they are: neither momentum nor weight decay moves
  /// them.
  virtual bool HoldsPruned() const = 0;

  /// After the last step: the masks to export; effective = latent ⊙ mask.
  virtual void Finish(std::span<TrainedWeight> weights) = 0;

  /// What the rule remembers besides the weights and their masks, for a run that is continued.
  virtual std::map<std::string, Tensor> State() const { return {}; }
  /// Throws Error when `state` is not what State gives for these weights.
  virtual void SetState(const std::map<std::string, Tensor>& state);
};

}  // namespace sparsify

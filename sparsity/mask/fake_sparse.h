// FakeSparse: how a mask acts on one weight while the weight changes (METHODS: W, M, Ŵ).
#pragma once

#include <memory>
#include <string>

#include "sparsity/mask/mask_generator.h"
#include "sparsity/mask/mask_options.h"

namespace sparsify {

/// Holds the latent weight W and shows Ŵ = W ⊙ M to the network. Every element of W lives
/// on, so a pruned weight can come back when the mask is recomputed.
class FakeSparse {
 public:
  /// Takes the latent weight. `context.layer_name` is copied. Nothing is pruned until the
  /// first Forward.
  FakeSparse(Tensor weight, std::shared_ptr<const MaskGenerator> generator, double sparsity,
             const MaskContext& context, const FakeSparseOptions& options);

  /// Ŵ. Recomputes M from W each time, or with mask_is_static only the first time and after
  /// SetSparsity. With weight_correction the first call corrects W once (CorrectKept).
  const Tensor& Forward();

  /// ∂L/∂W = M ⊙ ∂L/∂Ŵ, in place, with the M of the last Forward.
  void Backward(Tensor& gradient) const;

  /// Call on the step an optimiser wants to add to W. A static mask zeroes it where pruned,
  /// so neither momentum nor weight decay moves a pruned weight; otherwise unchanged.
  void MaskUpdate(Tensor& update) const;

  /// Takes effect at the next Forward, static mask or not.
  void SetSparsity(double sparsity);

  /// W ← W ⊙ M with the M of the last Forward.
  void Bake();

  Tensor& latent() { return weight_; }
  const Tensor& latent() const { return weight_; }
  const Mask& mask() const { return mask_; }
  double sparsity() const { return sparsity_; }

 private:
  Tensor weight_;
  Tensor sparse_;
  Mask mask_;
  std::shared_ptr<const MaskGenerator> generator_;
  double sparsity_;
  std::string layer_name_;
  MaskContext context_;
  FakeSparseOptions options_;
  bool stale_ = true;  // the mask belongs to another sparsity, or there is none
  bool corrected_ = false;
};

/// weight_correction: in every output channel (first dimension) the kept weights are scaled
/// by std(W)/std(Ŵ), both over the whole channel, then shifted so that the channel's mean
/// over all its weights is that of W. A channel that keeps nothing, or whose Ŵ does not vary,
/// is not scaled. Pruned weights of `weight` are left as they are.
void CorrectKept(const Mask& mask, Tensor& weight);

}  // namespace sparsify

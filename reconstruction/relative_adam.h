// Adam (Kingma & Ba, 2015) with steps relative to each row's own scale.
//
// A parameter is w = w0 + s·d with one s for each row (output channel); Adam moves d. Folded
// batch norm gives the channels of a layer scales that differ by orders of magnitude: a step of
// one size for all would wreck the small ones before it moves the large ones.
#pragma once

#include <map>
#include <vector>

#include "sparsity/graph/graph.h"
#include "sparsity/mask/mask.h"
#include "sparsity/tensor/tensor.h"
#include "sparsity/training/adam.h"

namespace sparsify {

class RelativeAdam {
 public:
  /// Starts parameter `id` at `start`; `scales` holds s for each of its rows, equal parts of
  /// the elements in order. A row with s = 0 stays. Elements that `mask` (copied; may be null)
  /// prunes are +0 and stay so.
  void Add(ValueId id, Tensor start, std::vector<double> scales, const Mask* mask);

  /// One step of size `lr` (of d) down `gradients`, which holds the gradient of every parameter.
  /// The same for every thread count.
  void Step(const std::map<ValueId, Tensor>& gradients, double lr);

  /// Parameter `id`, added before, goes on where that of another optimiser was after `steps` steps.
  /// Throws Error when sizes differ.
  void Restore(ValueId id, const Tensor& parameter, const Tensor& mean, const Tensor& square,
               int64_t steps);

  /// The moments of a parameter.
  const Adam& adam(ValueId id) const { return states_.at(id).adam; }
  /// The parameters as they are now.
  const std::map<ValueId, Tensor>& parameters() const { return parameters_; }

 private:
  struct State {
    std::vector<float> scales;
    Tensor keep;      // the mask as 0 and 1; empty: nothing is pruned
    Tensor gradient;  // ∂/∂d
    Adam adam;        // of d
  };

  static void Move(State& state, const Tensor& gradient, double lr, Tensor& parameter);

  std::map<ValueId, Tensor> parameters_;
  std::map<ValueId, State> states_;
};

/// The root mean square of each of the `rows` equal parts of `tensor`.
std::vector<double> RowRms(const Tensor& tensor, int64_t rows);

}  // namespace sparsify

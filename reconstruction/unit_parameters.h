// The parameters of one unit while steps change them: which of them, under which masks, with
// which step sizes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "reconstruction/unit.h"
#include "reconstruction/unit_options.h"
#include "sparsity/graph/graph.h"
#include "sparsity/training/adam.h"

namespace sparsify {

class UnitParameters {
 public:
  /// Weights of the unit's layers, and their biases where options.bias_lr is given; those that
  /// nodes outside the unit read as well are left alone. Values live in `student`, masks (by the
  /// weight's value name) in `masks`; both are changed. `teacher` has the values of pruned
  /// weights that masks which are not static may bring back. Keeps references.
  UnitParameters(Graph& student, const Graph& teacher, const std::vector<Layer>& layers,
                 const Unit& unit, std::map<std::string, Mask>& masks,
                 const UnitRepairOptions& options);

  bool empty() const { return trained_.empty(); }
  /// Which weights stay and why, or empty.
  const std::string& remark() const { return remark_; }

  /// weight_correction: CorrectKept on every masked weight.
  void CorrectWeights();
  /// Masks that are not static are made anew and Ŵ = W ⊙ M is shown to the network.
  void Show();

  /// What a backward pass is to fill in.
  std::map<ValueId, Tensor>& gradients() { return gradients_; }
  /// One Adam step down the gradients, at `factor` times the step sizes; then Show().
  void Step(double factor);

  /// All parameters that the unit's nodes read, with the masks.
  struct Snapshot {
    std::map<ValueId, Tensor> values;
    std::map<std::string, Mask> masks;
  };
  Snapshot Save() const;
  void Restore(const Snapshot& snapshot);

 private:
  struct Trained {
    ValueId id = kNoValue;
    Mask* mask = nullptr;
    double rate = 0;
    std::vector<float> scales;  // by output channel; empty: 1
    Tensor latent;              // W; empty where the student's value is W
    Adam adam;
  };

  bool ReadOutside(ValueId id) const;
  void AddWeight(const Layer& layer, ValueId dense);
  void AddBias(const Layer& layer);
  Tensor& Value(const Trained& trained) const;

  Graph& student_;
  const Graph& teacher_;
  const Unit& unit_;
  std::map<std::string, Mask>& masks_;
  const UnitRepairOptions& options_;
  std::vector<Trained> trained_;
  std::map<ValueId, Tensor> gradients_;
  std::string remark_;
};

}  // namespace sparsify

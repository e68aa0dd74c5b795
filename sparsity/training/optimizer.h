// Moves parameters down their gradients: SGD with momentum, Adam, AdamW, as PyTorch defines them.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/tensor/tensor.h"
#include "sparsity/training/adam.h"

namespace sparsify {

struct OptimizerOptions {
  std::string type = "sgd";    // sgd, adam, adamw
  double momentum = 0.9;       // sgd
  bool nesterov = true;        // sgd: Sutskever et al., ICML 2013, in torch.optim.SGD's form
  double weight_decay = 1e-4;  // sgd, adam: in the gradient; adamw: beside it
  double beta1 = 0.9;          // adam, adamw
  double beta2 = 0.999;        // adam, adamw
  double epsilon = 1e-8;       // adam, adamw
};

class Optimizer {
 public:
  /// Throws a usage Error for an unknown type and for numbers out of range.
  explicit Optimizer(const OptimizerOptions& options);

  /// Registers a parameter, which has taken no step; returns its index. Weight decay acts on it
  /// if `decays`. Throws Error when the name is taken.
  size_t Add(std::string name, const Shape& shape, bool decays);

  /// One step of size `rate` for parameter `index`. With g = gradient + weight_decay · parameter:
  ///   sgd    b = momentum · b + g; parameter −= rate · (nesterov ? g + momentum · b : b)
  ///   adam   adam.h; adamw: with decoupled decay
  /// Where `keep` (null: all) is 0, the parameter stays bit for bit and what has been averaged
  /// for it becomes 0. Throws Error naming the parameter when a shape differs. The same for every
  /// thread count.
  void Step(size_t index, const Tensor& gradient, double rate, const Tensor* keep,
            Tensor& parameter);

  /// Forgets what has been averaged: the next step of every parameter is as its first.
  void ResetMomentum();

  /// "<parameter>/momentum" (sgd), or "<parameter>/mean", "<parameter>/square" (of the parameter's
  /// shape) and "<parameter>/steps" (one element, exact up to 2^24).
  std::map<std::string, Tensor> State() const;

  /// Throws Error, and changes nothing, when `state` is not what State gives for the parameters
  /// added here.
  void SetState(const std::map<std::string, Tensor>& state);

 private:
  struct Parameter {
    std::string name;
    Shape shape;
    double decay = 0;
    Tensor momentum;           // sgd
    std::optional<Adam> adam;  // else
  };

  void StepSgd(Parameter& of, const Tensor& gradient, double rate, const Tensor* keep,
               Tensor& parameter) const;

  OptimizerOptions options_;
  std::vector<Parameter> parameters_;
};

}  // namespace sparsify

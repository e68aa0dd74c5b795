#include "sparsity/training/optimizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

constexpr const char* kWhere = "optimizer";

struct SgdStep {
  float rate = 0;
  float decay = 0;
  float momentum = 0;
  // The parameter moves by rate · (own · g + averaged · b).
  float own = 0;
  float averaged = 1;
};

template <bool kMasked>
void Update(const SgdStep& s, int64_t count, const float* gradient, const float* keep,
            float* momentum, float* parameter) {
  for (int64_t i = 0; i < count; ++i) {
    const float p = parameter[i];
    const float g = gradient[i] + s.decay * p;
    const float b = s.momentum * momentum[i] + g;
    const float next = p - s.rate * (s.own * g + s.averaged * b);
    const bool kept = !kMasked || keep[i] != 0;
    momentum[i] = kept ? b : 0;
    parameter[i] = kept ? next : p;
  }
}

void CheckRange(bool good, const char* name, double value, const char* expected) {
  if (!good) FailUsage(kWhere, "{} {}, expected {}", name, value, expected);
}

bool IsFraction(double value) { return value >= 0 && value < 1; }

void CheckShape(const std::string& name, const char* what, const Tensor& tensor,
                const Shape& expected) {
  if (tensor.shape() == expected) return;
  Fail(kWhere, "the {} of \"{}\" has shape {}, {} expected", what, name, tensor.shape().ToString(),
       expected.ToString());
}

Tensor Shaped(Tensor tensor, const Shape& shape) {
  tensor.Reshape(shape);
  return tensor;
}

void CheckSteps(const std::string& name, const Tensor& steps) {
  if (steps[0] >= 0 && std::floor(steps[0]) == steps[0]) return;
  Fail(kWhere, "state \"{}\" is {}, expected a count; the state is damaged", name, steps[0]);
}

}  // namespace

Optimizer::Optimizer(const OptimizerOptions& options) : options_(options) {
  const std::string& type = options.type;
  if (type != "sgd" && type != "adam" && type != "adamw") {
    FailUsage(kWhere, "unknown type \"{}\"; known: sgd, adam, adamw", type);
  }
  CheckRange(IsFraction(options.momentum), "momentum", options.momentum, "0 … below 1");
  CheckRange(options.weight_decay >= 0 && std::isfinite(options.weight_decay), "weight_decay",
             options.weight_decay, "0 or more");
  CheckRange(IsFraction(options.beta1), "beta1", options.beta1, "0 … below 1");
  CheckRange(IsFraction(options.beta2), "beta2", options.beta2, "0 … below 1");
  CheckRange(options.epsilon > 0 && std::isfinite(options.epsilon), "epsilon", options.epsilon,
             "above 0");
}

size_t Optimizer::Add(std::string name, const Shape& shape, bool decays) {
  for (const Parameter& other : parameters_) {
    if (other.name == name) Fail(kWhere, "parameter \"{}\" is added twice", name);
  }
  Parameter parameter;
  parameter.name = std::move(name);
  parameter.shape = shape;
  parameter.decay = decays ? options_.weight_decay : 0;
  if (options_.type == "sgd") {
    parameter.momentum = Tensor(shape);
  } else {
    AdamOptions adam;
    adam.beta1 = options_.beta1;
    adam.beta2 = options_.beta2;
    adam.epsilon = options_.epsilon;
    adam.weight_decay = parameter.decay;
    adam.decoupled = options_.type == "adamw";
    parameter.adam.emplace(shape.NumElements(), adam);
  }
  parameters_.push_back(std::move(parameter));
  return parameters_.size() - 1;
}

void Optimizer::Step(size_t index, const Tensor& gradient, double rate, const Tensor* keep,
                     Tensor& parameter) {
  Parameter& of = parameters_.at(index);
  CheckShape(of.name, "value", parameter, of.shape);
  CheckShape(of.name, "gradient", gradient, of.shape);
  if (keep != nullptr) CheckShape(of.name, "mask", *keep, of.shape);
  if (of.adam) {
    of.adam->Step(gradient, rate, {}, parameter, keep);
  } else {
    StepSgd(of, gradient, rate, keep, parameter);
  }
}

void Optimizer::StepSgd(Parameter& of, const Tensor& gradient, double rate, const Tensor* keep,
                        Tensor& parameter) const {
  SgdStep s;
  s.rate = static_cast<float>(rate);
  s.decay = static_cast<float>(of.decay);
  s.momentum = static_cast<float>(options_.momentum);
  if (options_.nesterov) {
    s.own = 1;
    s.averaged = s.momentum;
  }
  constexpr int64_t kChunk = 1 << 14;
  const int64_t size = parameter.size();
  ParallelFor((size + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const int64_t at = chunk * kChunk;
    const int64_t count = std::min(kChunk, size - at);
    if (keep == nullptr) {
      Update<false>(s, count, gradient.data() + at, nullptr, of.momentum.data() + at,
                    parameter.data() + at);
    } else {
      Update<true>(s, count, gradient.data() + at, keep->data() + at, of.momentum.data() + at,
                   parameter.data() + at);
    }
  });
}

void Optimizer::ResetMomentum() {
  for (Parameter& parameter : parameters_) {
    if (parameter.adam) {
      parameter.adam->Forget();
    } else {
      parameter.momentum.Fill(0);
    }
  }
}

std::map<std::string, Tensor> Optimizer::State() const {
  std::map<std::string, Tensor> state;
  for (const auto& [name, shape, decay, momentum, adam] : parameters_) {
    if (adam) {
      state.emplace(name + "/mean", Shaped(adam->mean(), shape));
      state.emplace(name + "/square", Shaped(adam->square(), shape));
      state.emplace(name + "/steps", Tensor({1}, {static_cast<float>(adam->steps())}));
    } else {
      state.emplace(name + "/momentum", momentum);
    }
  }
  return state;
}

void Optimizer::SetState(const std::map<std::string, Tensor>& state) {
  size_t found = 0;
  const auto part = [&](const std::string& name, const Shape& shape) -> const Tensor& {
    const auto it = state.find(name);
    if (it == state.end()) {
      Fail(kWhere,
           "the state has no \"{}\"; it is of another optimizer than {} or of another network",
           name, options_.type);
    }
    CheckShape(name, "state", it->second, shape);
    ++found;
    return it->second;
  };
  std::vector<Parameter> restored = parameters_;
  for (Parameter& parameter : restored) {
    if (!parameter.adam) {
      parameter.momentum = part(parameter.name + "/momentum", parameter.shape);
      continue;
    }
    const std::string steps_name = parameter.name + "/steps";
    const Tensor& steps = part(steps_name, {1});
    CheckSteps(steps_name, steps);
    parameter.adam->Restore(part(parameter.name + "/mean", parameter.shape),
                            part(parameter.name + "/square", parameter.shape),
                            static_cast<int64_t>(steps[0]));
  }
  if (found != state.size()) {
    Fail(kWhere, "the state has {} tensors, {} expected for {} with {} parameters", state.size(),
         found, options_.type, parameters_.size());
  }
  parameters_ = std::move(restored);
}

}  // namespace sparsify

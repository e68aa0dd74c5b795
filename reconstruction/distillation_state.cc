#include "reconstruction/distillation_state.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <vector>

namespace sparsify {
namespace {

constexpr const char* kSteps = "steps";  // of the optimiser: fewer where images were broken

std::string MeanOf(const std::string& name) { return name + "/mean"; }
std::string SquareOf(const std::string& name) { return name + "/square"; }

// The tensor called `name` if it has this many elements.
const Tensor* Find(const std::map<std::string, Tensor>& tensors, const std::string& name,
                   int64_t size) {
  const auto it = tensors.find(name);
  return it != tensors.end() && it->second.size() == size ? &it->second : nullptr;
}

}  // namespace

TrainingState StateOfPolish(const Graph& student, const std::string& origin,
                            const RelativeAdam& optimiser, int64_t steps) {
  TrainingState state;
  state.origin = origin;
  state.step = steps;
  for (const auto& [id, parameter] : optimiser.parameters()) {
    const std::string& name = student.value(id).name;
    const Adam& adam = optimiser.adam(id);
    state.parameters[name] = parameter;
    state.optimizer[MeanOf(name)] = adam.mean();
    state.optimizer[SquareOf(name)] = adam.square();
    state.optimizer[kSteps] = Tensor({1}, {static_cast<float>(adam.steps())});
  }
  return state;
}

std::string RestorePolish(const Graph& student, const std::string& origin,
                          const TrainingState& state, int64_t max_count, RelativeAdam& optimiser) {
  if (state.origin != origin) return "it began with other weights";
  if (state.step > max_count) return fmt::format("it has {} steps of {}", state.step, max_count);
  for (const auto& [id, parameter] : optimiser.parameters()) {
    const std::string& name = student.value(id).name;
    const Tensor* kept = Find(state.parameters, name, parameter.size());
    if (kept == nullptr || kept->shape() != parameter.shape() ||
        Find(state.optimizer, MeanOf(name), parameter.size()) == nullptr ||
        Find(state.optimizer, SquareOf(name), parameter.size()) == nullptr) {
      return fmt::format("\"{}\" is missing or of another shape in it", name);
    }
  }
  std::vector<ValueId> ids;
  for (const auto& [id, parameter] : optimiser.parameters()) ids.push_back(id);
  const Tensor* steps = Find(state.optimizer, kSteps, 1);
  const int64_t taken = steps == nullptr ? state.step : std::llround((*steps)[0]);
  for (const ValueId id : ids) {
    const std::string& name = student.value(id).name;
    optimiser.Restore(id, state.parameters.at(name), state.optimizer.at(MeanOf(name)),
                      state.optimizer.at(SquareOf(name)), taken);
  }
  return "";
}

}  // namespace sparsify

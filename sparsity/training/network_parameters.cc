#include "sparsity/training/network_parameters.h"

#include <algorithm>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

// Throws unless `state` has the names and shapes of `expected`.
template <class Entry>
void CheckSame(const char* what, const std::map<std::string, Entry>& expected,
               const std::map<std::string, Entry>& state) {
  constexpr const char* kWhere = "training state";
  for (const auto& [name, entry] : expected) {
    const auto it = state.find(name);
    if (it == state.end()) {
      Fail(kWhere, "has no {} \"{}\"; it is of another network or run", what, name);
    }
    if (it->second.shape() == entry.shape()) continue;
    Fail(kWhere, "{} \"{}\" has shape {}, the network's {}", what, name,
         it->second.shape().ToString(), entry.shape().ToString());
  }
  for (const auto& [name, entry] : state) {
    if (expected.contains(name)) continue;
    Fail(kWhere, "holds a {} \"{}\" that this run does not have; it is of another network or run",
         what, name);
  }
}

}  // namespace

NetworkParameters::NetworkParameters(Graph& graph, const std::vector<Layer>& layers,
                                     const std::vector<double>& sparsity, uint64_t seed)
    : graph_(graph) {
  if (!sparsity.empty() && sparsity.size() != layers.size()) {
    Fail("training", "{} sparsities given for {} layers", sparsity.size(), layers.size());
  }
  weights_.reserve(layers.size());  // pointers to them are kept
  const auto known = [&](ValueId id) {
    return std::any_of(all_.begin(), all_.end(),
                       [id](const TrainedParameter& other) { return other.id == id; });
  };
  const auto add = [&](ValueId id, bool decays) {
    if (id == kNoValue || !graph.value(id).is_parameter || known(id)) return;
    all_.push_back({id, graph.value(id).name, &graph.mutable_value(id).data, nullptr, decays});
  };
  for (size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    if (known(layer.weight)) Fail(layer.name, "its weight belongs to an earlier layer, too");
    add(layer.weight, true);
    if (!sparsity.empty() && sparsity[i] >= 0) {
      const Value& value = graph.value(layer.weight);
      weights_.emplace_back(value.name, value.data, sparsity[i],
                            MaskContext{{}, layer.groups, seed, i});
      all_.back().weight = &weights_.back();
      all_.back().value = &weights_.back().latent;
      overrides_[layer.weight] = &weights_.back().effective;
    }
    add(layer.bias, false);
  }
  for (const Node& node : graph.nodes()) {
    if (node.type != OpType::kBatchNormalization) continue;
    add(node.inputs[1], false);
    add(node.inputs[2], false);
  }
}

std::map<std::string, Tensor> NetworkParameters::Latent() const {
  std::map<std::string, Tensor> latent;
  for (const Value& value : graph_.values()) {
    if (value.is_parameter) latent[value.name] = value.data;
  }
  for (const TrainedWeight& weight : weights_) latent[weight.name()] = weight.latent;
  return latent;
}

std::map<std::string, Mask> NetworkParameters::Masks() const {
  std::map<std::string, Mask> masks;
  for (const TrainedWeight& weight : weights_) masks[weight.name()] = weight.mask();
  return masks;
}

void NetworkParameters::RestoreLatent(const std::map<std::string, Tensor>& latent) {
  CheckSame("parameter", Latent(), latent);
  for (const auto& [name, tensor] : latent) graph_.mutable_value(IdOf(name)).data = tensor;
  for (TrainedWeight& weight : weights_) {
    weight.latent = latent.at(weight.name());
    weight.ShowMasked();
  }
}

void NetworkParameters::RestoreMasks(const std::map<std::string, Mask>& masks) {
  CheckSame("mask", Masks(), masks);
  for (TrainedWeight& weight : weights_) {
    weight.SetMask(masks.at(weight.name()));
    weight.ShowMasked();
  }
}

void NetworkParameters::Bake() {
  for (const TrainedWeight& weight : weights_) {
    graph_.mutable_value(IdOf(weight.name())).data = weight.effective;
  }
}

double NetworkParameters::Sparsity() const {
  int64_t pruned = 0;
  int64_t all = 0;
  for (const TrainedWeight& weight : weights_) {
    pruned += weight.mask().CountPruned();
    all += weight.mask().size();
  }
  return all > 0 ? static_cast<double>(pruned) / static_cast<double>(all) : 0;
}

}  // namespace sparsify

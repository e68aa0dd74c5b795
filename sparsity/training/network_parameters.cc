#include "sparsity/training/network_parameters.h"

#include <utility>

#include "sparsity/base/error.h"

namespace sparsify {

NetworkParameters::NetworkParameters(Graph& graph, const std::vector<Layer>& layers,
                                     const std::vector<double>& sparsity, uint64_t seed)
    : graph_(graph) {
  weights_.reserve(layers.size());  // pointers to them are kept
  const auto add = [&](ValueId id, bool decays) {
    if (id == kNoValue || !graph.value(id).is_parameter) return;
    for (const TrainedParameter& known : all_) {
      if (known.id == id) return;
    }
    all_.push_back({id, graph.value(id).name, &graph.mutable_value(id).data, nullptr, decays});
  };
  for (size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
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

void NetworkParameters::Restore(const std::map<std::string, Tensor>& latent,
                                const std::map<std::string, Mask>& masks) {
  const auto take = [&](const std::string& name, Tensor& to) {
    const auto from = latent.find(name);
    if (from == latent.end()) Fail("training state", "\"{}\" is missing", name);
    if (from->second.shape() != to.shape()) {
      Fail("training state", "\"{}\" has shape {}, the network's {}", name,
           from->second.shape().ToString(), to.shape().ToString());
    }
    to = from->second;
  };
  for (size_t id = 0; id < graph_.values().size(); ++id) {
    Value& value = graph_.mutable_value(static_cast<ValueId>(id));
    if (value.is_parameter) take(value.name, value.data);
  }
  for (TrainedWeight& weight : weights_) {
    take(weight.name(), weight.latent);
    const auto mask = masks.find(weight.name());
    if (mask != masks.end()) weight.SetMask(mask->second);
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

#include "sparsity/allocation/prune_network.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

// Largest first, so that no thread is left with a large layer at the end.
std::vector<size_t> BySize(const std::vector<Layer>& layers) {
  std::vector<size_t> order(layers.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return layers[a].parameters > layers[b].parameters; });
  return order;
}

Mask MakeMask(const Tensor& weight, double sparsity, const MaskGenerator& generator,
              const MaskContext& context, PrunedLayer& record) {
  const bool dense = sparsity == 0;
  record.achievable = dense ? 0 : generator.Achievable(weight.shape(), sparsity, context);
  Mask mask = dense ? Mask(weight.shape()) : generator.Generate(weight, sparsity, context);
  record.already_zero = PruneZeros(weight, mask);
  record.achieved = mask.Sparsity();
  return mask;
}

void ReportSurprises(const std::vector<PrunedLayer>& layers) {
  std::vector<std::string> untouched;
  int64_t zeros = 0;
  int64_t with_zeros = 0;
  for (const PrunedLayer& layer : layers) {
    if (layer.skipped.empty() && layer.requested > 0 && layer.achievable == 0) {
      untouched.push_back(layer.name);
    }
    if (layer.achieved == 1) Warn("layer \"{}\" loses every weight", layer.name);
    zeros += layer.already_zero;
    with_zeros += layer.already_zero > 0 ? 1 : 0;
  }
  if (!untouched.empty()) {
    Note("{} layers stay dense, as the pattern takes nothing of their shapes: {}", untouched.size(),
         fmt::join(untouched, ", "));
  }
  if (zeros > 0) {
    Note("{} weights in {} layers that the masks keep were zero before and count as pruned", zeros,
         with_zeros);
  }
}

std::vector<double> Column(const std::vector<PrunedLayer>& layers, double PrunedLayer::*member) {
  std::vector<double> values;
  for (const PrunedLayer& layer : layers) values.push_back(layer.*member);
  return values;
}

}  // namespace

PrunedNetwork PruneNetwork(const Graph& graph, const std::vector<Layer>& layers,
                           const std::vector<LayerTarget>& targets, const MaskGenerator& generator,
                           uint64_t seed) {
  if (targets.size() != layers.size()) {
    Fail("pruning", "{} targets for {} layers", targets.size(), layers.size());
  }
  PrunedNetwork result;
  result.layers.resize(layers.size());
  std::vector<Mask> masks(layers.size());
  const std::vector<size_t> order = BySize(layers);
  ParallelFor(static_cast<int64_t>(layers.size()), [&](int64_t i) {
    ThrowIfInterrupted();
    const size_t at = order[static_cast<size_t>(i)];
    PrunedLayer& record = result.layers[at];
    record.name = layers[at].name;
    record.skipped = targets[at].skipped;
    if (!record.skipped.empty()) return;
    record.requested = targets[at].sparsity;
    const MaskContext context{record.name, layers[at].groups, seed, at};
    masks[at] =
        MakeMask(graph.value(layers[at].weight).data, record.requested, generator, context, record);
  });
  std::vector<std::string> skipped;
  for (size_t i = 0; i < layers.size(); ++i) {
    skipped.push_back(targets[i].skipped);
    if (!skipped[i].empty()) continue;
    result.masks.emplace(graph.value(layers[i].weight).name, std::move(masks[i]));
  }
  ReportSurprises(result.layers);
  result.requested = SumSparsity(layers, skipped, Column(result.layers, &PrunedLayer::requested));
  result.achieved = SumSparsity(layers, skipped, Column(result.layers, &PrunedLayer::achieved));
  return result;
}

Tensor& BakeMask(Graph& graph, const std::string& name, const Mask& mask) {
  const ValueId id = graph.FindValue(name);
  if (id == kNoValue || !graph.value(id).is_parameter) {
    Fail(graph.name, "there is a mask for \"{}\", which is no parameter of the network", name);
  }
  Tensor& weight = graph.mutable_value(id).data;
  if (weight.shape() != mask.shape()) {
    Fail(graph.name, "the mask of \"{}\" has shape {}, the weight {}", name,
         mask.shape().ToString(), weight.shape().ToString());
  }
  ApplyMask(mask, weight);
  return weight;
}

void BakeMasks(Graph& graph, std::map<std::string, Mask>& masks) {
  for (auto& [name, mask] : masks) PruneZeros(BakeMask(graph, name, mask), mask);
}

}  // namespace sparsify

// A network for the tests of distillation, and its loss in double precision.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "sparsity/graph/layers.h"
#include "sparsity/mask/mask.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/reference/conv.h"
#include "tests/reference/elementwise.h"
#include "tests/reference/linear.h"
#include "tests/reference/pool.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify::testing {

inline const Shape kBottleneckImage = {2, 6, 6};

/// 2×6×6 images, 4 classes: a (1×1), depthwise d (3×3), p (1×1, linear), e (1×1), pooling, fc.
/// Block outputs: p, and the pooled features.
inline Graph BottleneckNet(uint64_t seed = 1) {
  GraphBuilder b("bottleneck", seed);
  const ValueId x = b.Input(kBottleneckImage);
  const ValueId a = b.Relu("a.relu", b.Conv("a", x, 2, 4, 1, 1, 1, true));
  const ValueId d = b.Relu("d.relu", b.Conv("d", a, 4, 4, 3, 1, 4, true));
  const ValueId p = b.Conv("p", d, 4, 3, 1, 1, 1, true);
  const ValueId e = b.Relu("e.relu", b.Conv("e", p, 3, 5, 1, 1, 1, true));
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {e});
  return b.Finish({b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {pooled}), 5, 4)});
}

inline std::vector<Layer> LayersOf(const Graph& graph) {
  const int64_t batch = std::max<int64_t>(1, graph.inputs[0].shape[0]);
  return FindLayers(graph, InferShapes(graph, batch));
}

using Parameters = std::map<std::string, reference::Array>;  // by name

inline Parameters ParametersOf(const Graph& graph) {
  Parameters parameters;
  for (const Value& value : graph.values()) {
    if (value.is_parameter) parameters[value.name] = ToArray(value.data);
  }
  return parameters;
}

struct BottleneckOutputs {
  reference::Array block;
  reference::Array features;
  reference::Array logits;
};

/// BottleneckNet on N images in double precision.
inline BottleneckOutputs RunBottleneck(const Parameters& w, const reference::Array& images) {
  const auto conv = [&](const std::string& name, const reference::Array& x, int64_t groups = 1) {
    reference::ConvSettings s;
    const int64_t pad = w.at(name + ".weight").dims[2] / 2;
    s.pads = {pad, pad, pad, pad};
    s.groups = groups;
    return reference::Conv(x, w.at(name + ".weight"), &w.at(name + ".bias"), s);
  };
  const auto relu = [](const reference::Array& x) {
    return reference::Map(x, [](double v) { return v > 0 ? v : 0.0; });
  };
  BottleneckOutputs out;
  out.block = conv("p", relu(conv("d", relu(conv("a", images)), 4)));
  const reference::Array pooled =
      reference::Mean(relu(conv("e", out.block)), {false, false, true, true});
  out.features = {{images.dims[0], 5}, pooled.values};
  out.logits =
      reference::Gemm(out.features, w.at("fc.weight"), &w.at("fc.bias"), false, true, 1, 1);
  return out;
}

/// The pruned weights of `share` of the elements of every layer but fc: the smallest.
inline std::map<std::string, Mask> SmallestPruned(const Graph& graph, double share) {
  std::map<std::string, Mask> masks;
  for (const Layer& layer : LayersOf(graph)) {
    if (layer.name == "fc") continue;
    const Tensor& weight = graph.value(layer.weight).data;
    std::vector<float> sorted;
    for (const float v : weight.values()) sorted.push_back(std::abs(v));
    std::sort(sorted.begin(), sorted.end());
    const float least = sorted[static_cast<size_t>(share * static_cast<double>(sorted.size()))];
    Mask mask(weight.shape());
    for (int64_t i = 0; i < weight.size(); ++i) mask.Set(i, std::abs(weight[i]) >= least);
    masks.emplace(graph.value(layer.weight).name, std::move(mask));
  }
  return masks;
}

inline Graph Masked(Graph graph, const std::map<std::string, Mask>& masks) {
  for (const auto& [name, mask] : masks) {
    ApplyMask(mask, graph.mutable_value(graph.FindValue(name)).data);
  }
  return graph;
}

}  // namespace sparsify::testing

// Masked networks and their repair layer by layer, for tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reconstruction/layer_repair.h"
#include "sparsity/base/parallel.h"
#include "sparsity/graph/fold_batch_norm.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {

using Masks = std::map<std::string, Mask>;

inline const Shape kImage = {3, 16, 16};

inline std::vector<Layer> LayersOf(const Graph& graph) {
  return FindLayers(graph, InferShapes(graph, 1));
}

/// The smallest magnitudes of every layer go.
inline Masks MagnitudeMasks(const Graph& graph, double sparsity) {
  Masks masks;
  for (const Layer& layer : LayersOf(graph)) {
    const Tensor& weight = graph.value(layer.weight).data;
    std::vector<float> sorted;
    for (const float v : weight.values()) sorted.push_back(std::abs(v));
    std::sort(sorted.begin(), sorted.end());
    const auto pruned = static_cast<size_t>(sparsity * static_cast<double>(sorted.size()));
    Mask mask(weight.shape());
    for (int64_t i = 0; i < weight.size(); ++i) mask.Set(i, std::abs(weight[i]) >= sorted[pruned]);
    masks.emplace(graph.value(layer.weight).name, std::move(mask));
  }
  return masks;
}

inline Graph Masked(Graph graph, const Masks& masks) {
  for (const auto& [name, mask] : masks) {
    ApplyMask(mask, graph.mutable_value(graph.FindValue(name)).data);
  }
  return graph;
}

/// Small networks gain nothing from threads, which cost much where tests run side by side.
inline LayerRepairOptions Quiet(LayerMethod method = LayerMethod::kLeastSquares) {
  SetThreads(1);
  LayerRepairOptions options;
  options.method = method;
  options.batch = 8;
  return options;
}

inline RepairResult RunRepair(Graph& student, const Graph& teacher, Masks masks,
                              const std::vector<Layer>& layers, const Dataset& images,
                              const LayerRepairOptions& options = Quiet()) {
  const RepairTask task{.student = student,
                        .teacher = teacher,
                        .masks = masks,
                        .layers = layers,
                        .calibration = images,
                        .title = ""};
  return RepairLayers(task, options);
}

inline std::vector<RepairedUnit> Repaired(Graph& student, const Graph& teacher, Masks masks,
                                          const std::vector<Layer>& layers, const Dataset& images,
                                          const LayerRepairOptions& options = Quiet()) {
  return RunRepair(student, teacher, std::move(masks), layers, images, options).units;
}

inline void ExpectEqualParameters(const Graph& a, const Graph& b) {
  ASSERT_EQ(a.values().size(), b.values().size());
  for (size_t i = 0; i < a.values().size(); ++i) {
    if (!a.values()[i].is_parameter) continue;
    EXPECT_THAT(a.values()[i].data.values(),
                ::testing::ElementsAreArray(b.values()[i].data.values()))
        << a.values()[i].name;
  }
}

}  // namespace sparsify

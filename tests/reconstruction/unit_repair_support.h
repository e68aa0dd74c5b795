// A pruned network with everything that its repair by steps needs.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reconstruction/unit_repair.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/normal_mask_generator.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {

using Masks = std::map<std::string, Mask>;

inline std::vector<Layer> LayersOf(const Graph& graph) {
  return FindLayers(graph, InferShapes(graph, 1));
}

inline Mask MagnitudeMask(const Tensor& weight, double sparsity) {
  return NormalMaskGenerator({}).Generate(weight, sparsity, {});
}

inline Masks MagnitudeMasks(const Graph& graph, double sparsity) {
  Masks masks;
  for (const Layer& layer : LayersOf(graph)) {
    const Value& value = graph.value(layer.weight);
    masks.emplace(value.name, MagnitudeMask(value.data, sparsity));
  }
  return masks;
}

inline void ExpectEqualParameters(const Graph& a, const Graph& b) {
  for (size_t i = 0; i < a.values().size(); ++i) {
    if (!a.values()[i].is_parameter) continue;
    EXPECT_THAT(a.values()[i].data.values(),
                ::testing::ElementsAreArray(b.values()[i].data.values()))
        << a.values()[i].name;
  }
}

class Repairing : public ::testing::Test {
 protected:
  explicit Repairing(Graph teacher = testing::SmallResidualNet()) : teacher_(std::move(teacher)) {
    SetThreads(1);  // small networks gain nothing from more
    options_.pattern = UnitPattern::kBlock;
    options_.max_count = 60;
    options_.weight_lr = 3e-3;
    options_.batch = 8;
    options_.batches = 6;
    options_.early_stop = 0;
  }

  RepairTask Task() { return {student_, teacher_, masks_, layers_, images_}; }
  RepairResult Run() { return RepairUnits(Task(), options_); }
  RepairResult RunAgain() {
    student_ = teacher_;
    masks_ = MagnitudeMasks(teacher_, 0.6);
    return Run();
  }
  std::string Message() {
    return testing::MessageOf([&] { RunAgain(); });
  }

  const Graph teacher_;
  const std::vector<Layer> layers_ = LayersOf(teacher_);
  Graph student_ = teacher_;
  Masks masks_ = MagnitudeMasks(teacher_, 0.6);
  RandomImages images_{48, {3, 16, 16}};
  UnitRepairOptions options_;
  const LogCapture log_;
};

}  // namespace sparsify

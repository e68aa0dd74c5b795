#include <cstdio>

#include "reconstruction/unit.h"
#include "sparsity/graph/fold_batch_norm.h"
#include "sparsity/io/onnx.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/support/oracle.h"
#include <gtest/gtest.h>
namespace sparsify {
TEST(X, Y) {
  for (const auto& model : testing::SharedModels()) {
    const Graph graph = FoldBatchNorms(LoadOnnx(model.string()));
    const auto layers = FindLayers(graph, InferShapes(graph, 1));
    std::printf("== %s\n%s", model.c_str(), DescribeUnits(graph, layers, FindUnits(graph, layers, UnitPattern::kBlock)).c_str());
  }
}
}  // namespace sparsify

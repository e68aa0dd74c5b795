// Repair by steps on a shared network: few images and few steps, but real structure and weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconstruction/unit_repair.h"
#include "sparsity/base/log.h"
#include "sparsity/graph/fold_batch_norm.h"
#include "sparsity/io/onnx.h"
#include "sparsity/mask/normal_mask_generator.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/oracle.h"

namespace sparsify {
namespace {

void RepairHalfPruned(const Graph& teacher) {
  Graph student = teacher;
  const auto layers = FindLayers(teacher, InferShapes(teacher, 1));
  std::map<std::string, Mask> masks;
  for (const Layer& layer : layers) {
    const Value& value = teacher.value(layer.weight);
    masks.emplace(value.name, NormalMaskGenerator({}).Generate(value.data, 0.5, {}));
  }
  const auto& dims = teacher.inputs[0].shape.dims();
  const RandomImages images(24, Shape({dims.begin() + 1, dims.end()}));
  UnitRepairOptions options;
  options.pattern = UnitPattern::kBlock;
  options.max_count = 8;
  options.batch = 8;
  options.weight_lr = 0.01;
  options.lr_scale = LrScale::kRowRms;
  options.lr_schedule = LrSchedule::kCosine;
  const LogCapture log;
  const auto units = RepairUnits({student, teacher, masks, layers, images}, options).units;
  EXPECT_GT(units.size(), 5U);
  int lowered = 0;
  for (const RepairedUnit& unit : units) {
    EXPECT_EQ(unit.unrepaired, "") << unit.name;
    EXPECT_LE(unit.loss_after, unit.loss_before) << unit.name;
    lowered += unit.loss_after < 0.95 * unit.loss_before ? 1 : 0;
  }
  EXPECT_GT(2 * lowered, std::ssize(units));
  for (const auto& [name, mask] : masks) {
    EXPECT_GE(CountZeros(student.value(student.FindValue(name)).data), mask.CountPruned()) << name;
  }
}

TEST(RepairOfASharedNetwork, LowersTheLossOfMostBlocksWithAndWithoutBatchNorm) {
  for (const auto& path : testing::SharedModels()) {
    if (path.stem() != "fashion_mnist_resnet14") continue;
    const Graph graph = LoadOnnx(path.string());
    RepairHalfPruned(graph);
    RepairHalfPruned(FoldBatchNorms(graph));
    return;
  }
  GTEST_SKIP() << "SPARSIFY_SHARED_DATA names no folder with models/fashion_mnist_resnet14.onnx";
}

}  // namespace
}  // namespace sparsify

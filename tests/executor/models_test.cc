// Plans of real networks against the interpreter; skipped where the models are not at hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "sparsity/executor/plan.h"
#include "sparsity/io/onnx.h"
#include "tests/executor/plan_support.h"

namespace sparsify {
namespace {

class Models : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* data = std::getenv("SPARSIFY_SHARED_DATA");
    if (data == nullptr) GTEST_SKIP() << "SPARSIFY_SHARED_DATA is not set";
    path_ = std::string(data) + "/models/" + GetParam() + ".onnx";
    if (!std::filesystem::exists(path_)) GTEST_SKIP() << path_ << " is missing";
  }

  std::string path_;
};

TEST_P(Models, DensePlanAgreesWithTheInterpreter) {
  const Graph graph = LoadOnnx(path_);
  const Plan plan(graph, {.batch = 2, .threads = 1, .allow_sparse = false});
  EXPECT_TRUE(testing::AgreesWithInterpreter(graph, plan, 1e-4));
}

INSTANTIATE_TEST_SUITE_P(All, Models,
                         ::testing::Values("fashion_mnist_resnet14", "imagenet_mobilenetv1_0.75",
                                           "imagenet_mobilenetv2_1.0", "imagenet_squeezenet1.1",
                                           "imagenette_mobilenetv2_1.0",
                                           "imagenette_mobilenetv3_s1.0", "imagenette_regnetx200",
                                           "imagenette_regnetx600", "imagenette_regnety200",
                                           "imagenette_resnet18"),
                         [](const auto& model) {
                           std::string name = model.param;
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

class PooledModels : public Models {};

TEST_P(PooledModels, SparsePlanInBandsAgreesWithTheInterpreter) {
  Graph graph = LoadOnnx(path_);
  testing::PruneRandomly(graph, 0.5, 2);
  const Plan plan(graph, {.batch = 8, .threads = 1, .tune = false, .cache_bytes = 1 << 20});
  EXPECT_TRUE(testing::AgreesWithInterpreter(graph, plan, 1e-4));
  const std::vector<StepReport>& steps = plan.report().steps;
  EXPECT_TRUE(std::any_of(steps.begin(), steps.end(), [](const StepReport& step) {
    return step.kernel.starts_with("sparse banded ");
  }));
}

INSTANTIATE_TEST_SUITE_P(All, PooledModels,
                         ::testing::Values("imagenet_squeezenet1.1", "imagenette_resnet18"),
                         [](const auto& model) {
                           return std::string(model.index == 0 ? "squeezenet" : "resnet18");
                         });

}  // namespace
}  // namespace sparsify

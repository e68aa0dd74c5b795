// The permutation of real networks; skipped where the models are not at hand.
#include <gtest/gtest.h>

#include <filesystem>

#include "schedulers/ampere_scheduler.h"
#include "schedulers/channel_permutation.h"
#include "sparsity/io/onnx.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/schedulers/channel_support.h"
#include "tests/support/oracle.h"

namespace sparsify {
namespace {

class PermutedModel : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const auto data = testing::SharedData();
    if (!data) GTEST_SKIP() << "SPARSIFY_SHARED_DATA is not set";
    const auto path = *data / "models" / (std::string(GetParam()) + ".onnx");
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is missing";
    graph_ = LoadOnnx(path.string());
  }

  Graph graph_;
};

TEST_P(PermutedModel, ComputesTheSameWithEveryFreeChannelMoved) {
  Graph moved = graph_;
  const auto moves = testing::RandomMoves(graph_, 7);
  EXPECT_GE(moves.size(), 9U);
  MoveChannels(moves, moved);
  EXPECT_GE(testing::ChangedParameters(graph_, moved), 9);
  EXPECT_LT(testing::OutputChange(graph_, moved, 8), 1e-5);
}

TEST_P(PermutedModel, ComputesTheSameAndKeepsMore) {
  const std::vector<Shape> shapes = InferShapes(graph_, 1);
  const std::vector<Layer> layers = FindLayers(graph_, shapes);
  std::vector<std::string> skipped;
  for (const Layer& layer : layers) skipped.push_back(AmpereSkipReason(layer));
  Graph permuted = graph_;
  const PermutationReport report =
      PermuteChannels(permuted, shapes, layers, skipped, 2, 4, {.escapes = 0}, "permutation");
  EXPECT_LT(testing::OutputChange(graph_, permuted, 9), 1e-5);
  EXPECT_GT(report.total.Efficacy(), 0.08);
  EXPECT_LT(report.total.Efficacy(), 1);
  for (const ChannelGroup& group : report.groups) {
    EXPECT_GE(group.gain.permuted, group.gain.plain);
    EXPECT_LE(group.gain.permuted, group.gain.best);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PermutedModel,
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

}  // namespace
}  // namespace sparsify

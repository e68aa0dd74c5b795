#include "reconstruction/unit_correction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/interpreter.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

// Channel means of an output over 12 images.
std::vector<double> Means(const Graph& graph, ValueId id) {
  SetThreads(1);  // small networks gain nothing from more
  Batch batch;
  LoadBatch(RandomImages(12, {3, 16, 16}), 0, 12, batch);
  Tensor values;
  Interpreter(graph).Run({&batch.images}, [&](int node, const std::vector<const Tensor*>& outputs) {
    if (graph.node(node).outputs[0] == id) values = *outputs[0];
  });
  const int64_t channels = values.shape()[1];
  const int64_t area = values.size() / values.shape()[0] / channels;
  std::vector<double> means(static_cast<size_t>(channels));
  for (int64_t i = 0; i < values.size(); ++i) {
    means[static_cast<size_t>(i / area % channels)] +=
        values[i] / static_cast<double>(values.size() / channels);
  }
  return means;
}

std::vector<double> Steps(size_t count) {
  std::vector<double> shift(count);
  for (size_t c = 0; c < count; ++c) shift[c] = 0.1 * static_cast<double>(c) - 0.3;
  return shift;
}

std::vector<int> AllNodes(const Graph& graph) {
  std::vector<int> nodes(graph.nodes().size());
  std::iota(nodes.begin(), nodes.end(), 0);
  return nodes;
}

const Layer& Named(const std::vector<Layer>& layers, const std::string& name) {
  return layers.at(static_cast<size_t>(FindLayer(layers, name)));
}

void ExpectShift(Graph graph, const std::string& layer_name, const std::string& output) {
  const auto layers = FindLayers(graph, InferShapes(graph, 1));
  const ValueId id = graph.FindValue(output);
  const auto before = Means(graph, id);
  ASSERT_TRUE(ShiftChannels(graph, Named(layers, layer_name), {}, Steps(before.size())));
  const auto after = Means(graph, id);
  for (size_t c = 0; c < before.size(); ++c) {
    EXPECT_NEAR(after[c] - before[c], 0.1 * static_cast<double>(c) - 0.3, 1e-5) << c;
  }
}

TEST(ShiftChannels, UsesTheLayersBias) {
  ExpectShift(testing::SmallResidualNet(), "fc", "fc.out");
  ExpectShift(testing::SmallMobileNet(), "se.up", "se.up.out");
}

// The means in front of a batch norm: its outputs move by as much as if the layer's had.
TEST(ShiftChannels, UsesTheBatchNormBehindALayerWithoutBias) {
  Graph graph = testing::SmallResidualNet();
  const auto layers = FindLayers(graph, InferShapes(graph, 1));
  const ValueId id = graph.FindValue("stem.bn.out");
  const auto before = Means(graph, id);
  // Not where it stands behind the unit.
  EXPECT_FALSE(
      ShiftChannels(graph, Named(layers, "stem"), {Named(layers, "stem").node}, Steps(16)));
  EXPECT_EQ(Means(graph, id), before);
  ASSERT_TRUE(ShiftChannels(graph, Named(layers, "stem"), AllNodes(graph), Steps(16)));
  const auto after = Means(graph, id);
  const Tensor& gamma = graph.value(graph.FindValue("stem.bn.weight")).data;
  const Tensor& variance = graph.value(graph.FindValue("stem.bn.running_var")).data;
  for (size_t c = 0; c < before.size(); ++c) {
    const auto at = static_cast<int64_t>(c);
    const double gain = gamma[at] / std::sqrt(variance[at] + 1e-5);
    EXPECT_NEAR(after[c] - before[c], gain * (0.1 * static_cast<double>(c) - 0.3), 1e-5) << c;
  }
}

TEST(ShiftChannels, NeedsAParameterThatNothingElseReads) {
  testing::GraphBuilder b("plain");
  const ValueId x = b.Relu("relu", b.Conv("first", b.Input({3, 16, 16}), 3, 4, 3));
  const ValueId bias = b.Parameter("shared", Tensor({4}));
  const ValueId w = b.Parameter("w", Tensor({4, 4, 1, 1}));
  const ValueId one = b.Op(OpType::kConv, "one", {x, w, bias});
  const ValueId two = b.Op(OpType::kConv, "two", {one, w, bias});
  Graph graph = b.Finish({two});
  const auto layers = FindLayers(graph, InferShapes(graph, 1));
  EXPECT_FALSE(ShiftChannels(graph, Named(layers, "first"), AllNodes(graph), Steps(4)));
  EXPECT_FALSE(ShiftChannels(graph, Named(layers, "w"), AllNodes(graph), Steps(4)));
  EXPECT_EQ(CountZeros(graph.value(bias).data), 4);
  Unit unit;
  unit.layers = {0, 1};
  std::map<ValueId, std::vector<double>> means;
  for (const Layer& layer : layers) means[graph.node(layer.node).outputs[0]] = Steps(4);
  EXPECT_EQ(
      CorrectBiases(graph, layers, unit, means, [](ValueId) { return Steps(4); }),
      "bias_correction leaves first, w: neither a bias nor a batch norm of its own in the unit");
}

TEST(CorrectBiases, MatchesEveryLayersMeansInOrder) {
  const Graph teacher = testing::SmallResidualNet();
  Graph student = teacher;
  const auto layers = FindLayers(teacher, InferShapes(teacher, 1));
  Unit unit;
  unit.nodes = AllNodes(teacher);
  std::map<ValueId, std::vector<double>> means;
  for (size_t i = 0; i < layers.size(); ++i) {
    unit.layers.push_back(static_cast<int>(i));
    const ValueId output = teacher.node(layers[i].node).outputs[0];
    means[output] = Means(teacher, output);
    for (float& v : student.mutable_value(layers[i].weight).data.values()) v *= 0.7F;
  }
  EXPECT_EQ(
      CorrectBiases(student, layers, unit, means, [&](ValueId id) { return Means(student, id); }),
      "");
  // The network's output has no batch norm behind it: its means are the teacher's.
  const ValueId output = teacher.outputs[0].value;
  const auto corrected = Means(student, output);
  for (size_t c = 0; c < corrected.size(); ++c) {
    EXPECT_NEAR(corrected[c], means.at(output)[c], 1e-5);
  }
}

}  // namespace
}  // namespace sparsify

#include "reconstruction/learn_allocation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/base/log.h"
#include "sparsity/mask/normal_mask_generator.h"
#include "sparsity/ops/interpreter.h"
#include "tests/reconstruction/distillation_support.h"
#include "tests/reconstruction/repair_support.h"

namespace sparsify {
namespace {

using ::testing::DoubleEq;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::LayersOf;
using testing::MessageOf;

constexpr int64_t kChannels = 12;

// Two convolutions of one shape side by side: "main", and "idle", of which a thousandth is added.
// Their outputs meet before anything is compared.
Graph ForkedNet() {
  GraphBuilder b("forked", 4);
  const ValueId x = b.Input({2, 6, 6});
  const ValueId stem = b.Relu("stem.relu", b.Conv("stem", x, 2, kChannels, 3, 1, 1, true));
  const ValueId main = b.Conv("main", stem, kChannels, kChannels, 3);
  const ValueId idle = b.Conv("idle", stem, kChannels, kChannels, 3);
  Tensor thousandth(Shape{1, kChannels, 1, 1});
  thousandth.Fill(1e-3F);
  const ValueId scaled =
      b.Op(OpType::kMul, "scale", {idle, b.Parameter("thousandth", std::move(thousandth))});
  const ValueId sum = b.Relu("sum.relu", b.Op(OpType::kAdd, "sum", {main, scaled}));
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {sum});
  return b.Finish({b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {pooled}), kChannels, 4)});
}

struct Case {
  explicit Case(Graph network, int64_t images = 60)
      : graph(std::move(network)),
        layers(LayersOf(graph)),
        skipped(layers.size()),
        calibration(images, ImageOf(graph)) {}

  static Shape ImageOf(const Graph& graph) {
    const std::vector<int64_t> dims = graph.inputs[0].shape.dims();
    return Shape(std::vector<int64_t>(dims.begin() + 1, dims.end()));
  }

  LearnedAllocation Learn(double sparsity, const AllocationOptions& options,
                          const std::string& title = "") {
    return LearnAllocation({.graph = graph,
                            .layers = layers,
                            .skipped = skipped,
                            .sparsity = sparsity,
                            .calibration = calibration,
                            .seed = seed,
                            .title = title},
                           options);
  }

  double Of(const LearnedAllocation& learned, const std::string& layer) const {
    return learned.sparsity[static_cast<size_t>(FindLayer(layers, layer))];
  }

  double Overall(const std::vector<double>& sparsity) const {
    return SumSparsity(layers, skipped, sparsity).selected;
  }

  // Mean squared difference of the masked network's outputs on images that nothing learned from.
  double OutputError(const std::vector<double>& sparsity) const {
    Graph masked = graph;
    for (size_t i = 0; i < layers.size(); ++i) {
      Tensor& weight = masked.mutable_value(layers[i].weight).data;
      ApplyMask(NormalMaskGenerator({}).Generate(weight, sparsity[i], {}), weight);
    }
    std::vector<int64_t> indices;
    for (int64_t i = 1000; i < 1100; ++i) indices.push_back(i);
    Batch batch;
    LoadBatch(RandomImages(1100, ImageOf(graph)), indices, batch);
    const Tensor x = std::move(Interpreter(masked).Run({&batch.images})[0]);
    const Tensor y = std::move(Interpreter(graph).Run({&batch.images})[0]);
    double sum = 0;
    for (int64_t i = 0; i < x.size(); ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sum / static_cast<double>(x.size());
  }

  Graph graph;
  std::vector<Layer> layers;
  std::vector<std::string> skipped;
  RandomImages calibration;
  uint64_t seed = 3;
};

AllocationOptions Short(int64_t steps = 60) {
  AllocationOptions options;
  options.type = "FCPTS";
  options.fcpts_steps = steps;
  options.fcpts_batch = 8;
  options.fcpts_lr = 0.03;
  return options;
}

TEST(ShiftToTarget, MovesAllByOneAmountWithinTheirBounds) {
  const auto moved = ShiftToTarget({0.2, 0.6}, {1, 3}, {1, 1}, 0.6);
  EXPECT_NEAR(moved[0], 0.3, 1e-12);
  EXPECT_NEAR(moved[1], 0.7, 1e-12);
  const auto at_bounds = ShiftToTarget({0.1, 0.5, 0.9}, {1, 1, 2}, {1, 1, 0.95}, 0.85);
  EXPECT_NEAR(at_bounds[0], 0.55, 1e-12);
  EXPECT_NEAR(at_bounds[1], 0.95, 1e-12);
  EXPECT_NEAR(at_bounds[2], 0.95, 1e-12);
  EXPECT_THAT(ShiftToTarget({0.1, 0.9}, {1, 1}, {1, 1}, 0), ElementsAre(0, 0));
  const auto all = ShiftToTarget({0.1, 0.9}, {1, 1}, {1, 0.9}, 0.95);
  EXPECT_NEAR(all[0], 1, 1e-12);
  EXPECT_EQ(all[1], 0.9);
}

TEST(LearnAllocation, PrunesWhatMattersLess) {
  Case c(ForkedNet());
  const LearnedAllocation learned = c.Learn(0.6, Short());
  EXPECT_EQ(learned.remark, "");
  EXPECT_LT(c.Of(learned, "main"), 0.45);
  EXPECT_GT(c.Of(learned, "idle"), 0.8);
  EXPECT_NEAR(c.Overall(learned.sparsity), 0.6, 1e-9);
  EXPECT_LT(learned.loss, 0.7 * learned.start_loss);
  AllocationOptions uniform;
  const auto alike = Allocate(c.graph, c.layers, c.skipped, 0.6, uniform);
  std::vector<double> of_uniform;
  for (const LayerTarget& target : alike) of_uniform.push_back(target.sparsity);
  EXPECT_LT(c.OutputError(learned.sparsity), 0.7 * c.OutputError(of_uniform));
}

TEST(LearnAllocation, ThePenaltyHoldsTheTargetWhileLearning) {
  Case c(testing::SmallMobileNet(), 40);
  AllocationOptions options = Short(40);
  EXPECT_NEAR(c.Learn(0.7, options).reached, 0.7, 0.03);
  options.fcpts_weight = 0.01;  // the loss alone wants its weights back
  const LearnedAllocation loose = c.Learn(0.7, options);
  EXPECT_LT(loose.reached, 0.6);
  EXPECT_NEAR(c.Overall(loose.sparsity), 0.7, 1e-9);  // the last shift makes it exact all the same
}

TEST(LearnAllocation, MeetsTheTargetWithinTheCaps) {
  for (Graph network : {testing::SmallMobileNet(), testing::SmallResidualNet()}) {
    Case c(std::move(network), 24);
    c.skipped[1] = "kept";
    for (const double sparsity : {0.3, 0.8}) {
      AllocationOptions options = Short(6);
      options.max_layer_sparsity = 0.85;
      const LearnedAllocation learned = c.Learn(sparsity, options);
      EXPECT_NEAR(c.Overall(learned.sparsity), sparsity, 1e-9);
      EXPECT_EQ(learned.sparsity[1], 0);
      for (const double s : learned.sparsity) {
        EXPECT_GE(s, 0);
        EXPECT_LE(s, 0.85);
      }
      EXPECT_LE(learned.loss, learned.start_loss);
    }
  }
}

TEST(LearnAllocation, EveryLayerKeepsAWeightWhereTheTargetAllowsIt) {
  Case c(ForkedNet(), 20);
  const LearnedAllocation learned = c.Learn(0.99, Short(10));
  for (size_t i = 0; i < c.layers.size(); ++i) {
    EXPECT_LE(learned.sparsity[i], 1 - 1 / static_cast<double>(c.layers[i].parameters));
  }
  EXPECT_THAT(c.Learn(1, Short(1)).sparsity, Each(DoubleEq(1)));
  const LearnedAllocation nothing = c.Learn(0, Short(1));
  EXPECT_THAT(nothing.sparsity, Each(0));
  EXPECT_EQ(nothing.remark, "sparsity 0 leaves nothing to learn");
}

TEST(LearnAllocation, IsDeterministicAndTheSeedCounts) {
  Case c(ForkedNet(), 40);
  const LearnedAllocation first = c.Learn(0.6, Short(10));
  const LearnedAllocation second = c.Learn(0.6, Short(10));
  EXPECT_EQ(first.sparsity, second.sparsity);
  EXPECT_EQ(first.loss, second.loss);
  c.seed = 4;
  EXPECT_NE(c.Learn(0.6, Short(10)).sparsity, first.sparsity);
}

TEST(LearnAllocation, TheWeightsOfTheNetworkStay) {
  Case c(ForkedNet(), 20);
  const Graph before = c.graph;
  c.Learn(0.7, Short(5));
  for (size_t i = 0; i < before.values().size(); ++i) {
    const auto a = before.values()[i].data.values();
    const auto b = c.graph.values()[i].data.values();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << before.values()[i].name;
  }
}

TEST(LearnAllocation, StaysWithTheStartWhenNothingIsGainedAndSaysSo) {
  Case c(ForkedNet(), 40);
  AllocationOptions wild = Short(1);
  wild.fcpts_lr = 1;
  const LogCapture log;
  const LearnedAllocation learned = c.Learn(0.6, wild, "60 %: FCPTS");
  EXPECT_THAT(learned.remark, HasSubstr("the " + learned.start +
                                        " allocation stays: the loss on "
                                        "the images held back would go from "));
  EXPECT_EQ(learned.loss, learned.start_loss);
  EXPECT_NEAR(c.Overall(learned.sparsity), 0.6, 1e-9);
  EXPECT_TRUE(
      log.Contains("60 %: FCPTS: the sparsities of 4 layers learn for 1 steps of 8 images "
                   "from 36, 4 held back"));
  EXPECT_TRUE(log.Contains("60 %: FCPTS: starts from " + learned.start + ", loss "));
  EXPECT_TRUE(log.Contains(learned.start == "ERK" ? "; Uniform has " : "; ERK has "));
  EXPECT_TRUE(log.Contains("60 %: FCPTS: " + learned.remark));
}

TEST(LearnAllocation, AWeightThatTwoNodesUseIsOneLayer) {
  GraphBuilder b("shared", 2);
  const ValueId x = b.Input({3, 6, 6});
  const ValueId weight = b.Parameter("both.weight", [] {
    Random random(9);
    return testing::RandomTensor(random, {3, 3, 1, 1});
  }());
  const testing::AttributeList attributes = {{"kernel_shape", std::vector<int64_t>{1, 1}}};
  const ValueId first = b.Relu("r1", b.Op(OpType::kConv, "c1", {x, weight}, attributes));
  const ValueId second = b.Relu("r2", b.Op(OpType::kConv, "c2", {first, weight}, attributes));
  const ValueId third = b.Conv("other", second, 3, 8, 1);
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {third});
  Case c(b.Finish({b.Op(OpType::kFlatten, "flatten", {pooled})}), 20);
  ASSERT_EQ(c.layers.size(), 2U);
  const LearnedAllocation learned = c.Learn(0.5, Short(10));
  EXPECT_EQ(learned.sparsity.size(), 2U);
  EXPECT_NEAR(c.Overall(learned.sparsity), 0.5, 1e-9);
}

TEST(LearnAllocation, BrokenImagesAreLeftOut) {
  Case c(ForkedNet(), 40);
  for (int64_t i = 1; i < 40; i += 3) c.calibration.broken.insert(i);
  const LearnedAllocation learned = c.Learn(0.6, Short(10));
  EXPECT_LT(c.Of(learned, "main"), c.Of(learned, "idle"));
  for (int64_t i = 0; i < 40; ++i) c.calibration.broken.insert(i);
  EXPECT_EQ(MessageOf([&] { c.Learn(0.6, Short()); }),
            "data.calibration: 0 of the 4 images held back to judge the allocation can be read, "
            "too few");
}

TEST(LearnAllocation, RefusesWhatItCannotLearn) {
  Case few(ForkedNet(), 1);
  EXPECT_EQ(MessageOf([&] { few.Learn(0.5, Short()); }),
            "data.calibration: 1 images; FCPTS needs at least 2, half of them to judge what it has "
            "learned");
  Case c(ForkedNet(), 20);
  EXPECT_THAT(MessageOf([&] { c.Learn(50, Short()); }),
              HasSubstr("sparsity 50 is outside 0 … 1; give a fraction, not percent"));
  AllocationOptions capped = Short();
  capped.max_layer_sparsity = 0.4;
  EXPECT_THAT(MessageOf([&] { c.Learn(0.5, capped); }),
              HasSubstr("is unreachable with max_layer_sparsity 0.4"));
  EXPECT_EQ(MessageOf([&] { Allocate(c.graph, c.layers, c.skipped, 0.5, Short()); }),
            "allocation.type: FCPTS is learned on data.calibration, and nothing has been");
  c.graph.mutable_value(c.layers[1].weight).data[7] = NAN;
  EXPECT_EQ(MessageOf([&] { c.Learn(0.5, Short()); }),
            "main: weight of shape [12,12,3,3] holds nan at flat index 7; repair the model first");
  GraphBuilder b("lrn");
  const ValueId x = b.Conv("conv", b.Input({2, 4, 4}), 2, 4, 1);
  const ValueId y = b.Op(OpType::kLRN, "norm", {x}, {{"size", int64_t{3}}});
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {y});
  Case stuck(b.Finish({b.Op(OpType::kFlatten, "flatten", {pooled})}), 20);
  EXPECT_EQ(MessageOf([&] { stuck.Learn(0.5, Short()); }),
            "allocation.type: FCPTS learns by gradients, and norm (LRN) has no gradient; choose "
            "another type, e.g. Sensitivity");
}

}  // namespace
}  // namespace sparsify

#include "reconstruction/measure_sensitivity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "reconstruction/image_subset.h"
#include "reconstruction/second_order/least_squares.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/graph/fold_batch_norm.h"
#include "sparsity/mask/mask_options.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/interpreter.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MessageOf;

const Shape kImage = {3, 16, 16};
constexpr int64_t kImages = 30;

std::vector<Layer> LayersOf(const Graph& graph) { return FindLayers(graph, InferShapes(graph, 1)); }

std::unique_ptr<MaskGenerator> Generator(const std::string& type = "NormalMaskGenerator") {
  MaskGeneratorOptions options;
  options.type = type;
  return MakeMaskGenerator(options);
}

/// KL(dense‖changed), mean over images, straight from the definition.
double Divergence(const Tensor& dense, const Tensor& changed) {
  const int64_t images = dense.shape()[0];
  const int64_t classes = dense.size() / images;
  double sum = 0;
  for (int64_t i = 0; i < images; ++i) {
    double a = 0;
    double b = 0;
    for (int64_t k = i * classes; k < (i + 1) * classes; ++k) {
      a += std::exp(static_cast<double>(dense[k]));
      b += std::exp(static_cast<double>(changed[k]));
    }
    for (int64_t k = i * classes; k < (i + 1) * classes; ++k) {
      const double p = std::exp(static_cast<double>(dense[k])) / a;
      sum += p * std::log(p / (std::exp(static_cast<double>(changed[k])) / b));
    }
  }
  return sum / static_cast<double>(images);
}

SensitivityOptions Quiet() {
  SetThreads(1);
  SensitivityOptions options;
  options.levels = {0.3, 0.6, 0.9};
  options.images = kImages;
  options.max_positions = 0;
  options.batch = 8;
  options.progress = "";
  return options;
}

class Measure : public ::testing::Test {
 protected:
  std::vector<SensitivityCurve> Run(const SensitivityOptions& options = Quiet()) {
    layers_ = LayersOf(graph_);
    if (skipped_.empty()) skipped_.resize(layers_.size());
    return MeasureSensitivity({.graph = graph_,
                               .layers = layers_,
                               .skipped = skipped_,
                               .generator = *generator_,
                               .calibration = images_,
                               .measured = measured_,
                               .on_layer = on_layer_,
                               .make_network = make_network_},
                              options);
  }

  Tensor Images() const {
    Batch batch;
    LoadBatch(images_, 0, images_.size(), batch);
    return std::move(batch.images);
  }

  /// The loss of the whole network with this layer pruned, every image in one batch.
  double Naive(const Layer& layer, size_t index, double level, bool repair) const {
    return Naive(layer, index, level, repair, Images(), Images());
  }

  /// The same on some images, with the layer solved on others.
  double Naive(const Layer& layer, size_t index, double level, bool repair, const Tensor& images,
               const Tensor& solved) const {
    Tensor inputs = solved;
    Tensor targets;
    Observe(layer, solved, inputs, targets);
    Graph pruned = graph_;
    Tensor& weight = pruned.mutable_value(layer.weight).data;
    const Mask mask = generator_->Generate(weight, level, {layer.name, layer.groups, 0, index});
    ApplyMask(mask, weight);
    if (repair) {
      LayerStatistics statistics(graph_.node(layer.node), layer);
      statistics.Add(inputs, targets);
      LayerSolution solution =
          SolveLeastSquares(statistics, graph_.value(layer.weight).data, mask, {});
      weight = std::move(solution.weight);
      Node& node = pruned.mutable_nodes()[static_cast<size_t>(layer.node)];
      node.inputs.resize(3, kNoValue);
      node.inputs[2] = pruned.AddParameter("new.bias", std::move(solution.bias));
    }
    return Divergence(Interpreter(graph_).Run({&images})[0], Interpreter(pruned).Run({&images})[0]);
  }

  /// What the layer reads and makes in the dense network.
  void Observe(const Layer& layer, const Tensor& images, Tensor& inputs, Tensor& targets) const {
    const ValueId input = graph_.node(layer.node).inputs[0];
    const int producer = graph_.Producer(input);
    Interpreter(graph_).Run({&images}, [&](int node, const std::vector<const Tensor*>& outputs) {
      if (node == producer) inputs = *outputs[0];
      if (node == layer.node) targets = *outputs[0];
    });
  }

  Graph graph_ = FoldBatchNorms(testing::SmallResidualNet());
  std::vector<Layer> layers_;
  std::vector<std::string> skipped_;
  std::unique_ptr<MaskGenerator> generator_ = Generator();
  RandomImages images_{kImages, kImage};
  std::vector<SensitivityCurve> measured_;
  std::function<void(const std::vector<SensitivityCurve>&)> on_layer_;
  NetworkMaker make_network_;
  const LogCapture log_;
};

TEST_F(Measure, GivesTheLossOfTheWholeNetworkWithOneLayerPruned) {
  for (const bool mobile : {false, true}) {
    if (mobile) graph_ = FoldBatchNorms(testing::SmallMobileNet());
    skipped_.clear();
    for (const bool repair : {false, true}) {
      SensitivityOptions options = Quiet();
      options.repair = repair;
      const auto curves = Run(options);
      ASSERT_EQ(curves.size(), layers_.size());
      for (size_t i = 0; i < curves.size(); ++i) {
        EXPECT_EQ(curves[i].layer, layers_[i].name);
        EXPECT_EQ(curves[i].parameters, layers_[i].parameters);
        EXPECT_EQ(curves[i].macs, layers_[i].macs);
        ASSERT_EQ(curves[i].sparsity.size(), 3U);
        for (size_t p = 0; p < 3; ++p) {
          EXPECT_NEAR(curves[i].sparsity[p], options.levels[p],
                      1.01 / static_cast<double>(layers_[i].parameters));
          const double naive = Naive(layers_[i], i, options.levels[p], repair);
          EXPECT_NEAR(curves[i].loss[p], naive, 1e-6 + 0.02 * naive)
              << curves[i].layer << (repair ? " repaired at " : " masked at ") << options.levels[p];
        }
      }
    }
  }
}

TEST_F(Measure, RepairHelpsAndMoreSparsityHurts) {
  SensitivityOptions options = Quiet();
  const auto repaired = Run(options);
  options.repair = false;
  const auto masked = Run(options);
  for (size_t i = 0; i < masked.size(); ++i) {
    EXPECT_LT(repaired[i].loss[1], masked[i].loss[1]) << masked[i].layer;
    EXPECT_LT(repaired[i].loss[0], repaired[i].loss[2]) << masked[i].layer;
  }
}

TEST_F(Measure, DependsNeitherOnMemoryNorOnWhatRunsTheNetwork) {
  const auto curves = Run();
  SensitivityOptions little = Quiet();
  little.memory_limit_mb = 3;  // of sums 2.95 MB are needed
  EXPECT_EQ(Run(little), curves);
  int made = 0;
  make_network_ = [&](const Graph& graph, int64_t batch) {
    ++made;
    EXPECT_EQ(batch, 8);
    return [&graph](const std::vector<const Tensor*>& inputs, Tensor& output) {
      output = std::move(Interpreter(graph).Run(inputs)[0]);
    };
  };
  EXPECT_EQ(Run(), curves);
  EXPECT_EQ(made, 4);  // nothing runs behind the last layer
}

TEST_F(Measure, GoesOnWhereAnEarlierRunStopped) {
  const auto curves = Run();
  std::vector<size_t> sizes;
  on_layer_ = [&](const auto& all) { sizes.push_back(all.size()); };
  EXPECT_EQ(Run(), curves);
  EXPECT_THAT(sizes, ElementsAre(1, 2, 3, 4, 5));
  sizes.clear();
  measured_ = {curves[0], curves[1], curves[3]};
  SensitivityOptions options = Quiet();
  options.progress = "sensitivity";
  EXPECT_EQ(Run(options), curves);
  EXPECT_THAT(sizes, ElementsAre(4, 5));
  EXPECT_TRUE(log_.Contains("sensitivity: 3 layers were measured before"));
  measured_ = curves;
  EXPECT_EQ(Run(options), curves);
}

// 16 of 48 images judge, in a random order, and the other 32 are solved on.
TEST_F(Measure, LeastSquaresDoesNotSeeTheImagesThatJudgeIt) {
  images_ = RandomImages(48, kImage);
  SensitivityOptions options = Quiet();
  options.images = 16;
  const ImageSubset order = ImageSubset::Shuffled(images_, options.seed);
  Batch judging;
  Batch solving;
  LoadBatch(order, 0, 16, judging);
  LoadBatch(order, 16, 48, solving);
  const auto curves = Run(options);
  for (size_t i = 0; i < layers_.size(); ++i) {
    for (size_t k = 0; k < options.levels.size(); ++k) {
      const double expected =
          Naive(layers_[i], i, options.levels[k], true, judging.images, solving.images);
      EXPECT_NEAR(curves[i].loss[k], expected, 0.01 * expected + 1e-6) << curves[i].layer;
    }
  }
}

// A batch that is cut short is not used: there are no others to solve on.
TEST_F(Measure, OneWholeFixedBatchIsSolvedOnAndJudges) {
  images_ = RandomImages(12, kImage);
  const std::vector<Layer> layers = LayersOf(graph_);
  const std::vector<std::string> skipped(layers.size());
  graph_.inputs[0].shape.set_dim(0, 8);
  SensitivityOptions options = Quiet();
  options.images = 8;
  options.progress = "sensitivity";
  const auto curves = MeasureSensitivity({.graph = graph_,
                                          .layers = layers,
                                          .skipped = skipped,
                                          .generator = *generator_,
                                          .calibration = images_},
                                         options);
  EXPECT_EQ(curves.size(), 5U);
  EXPECT_TRUE(log_.Contains("these among them"));
}

TEST_F(Measure, SearchesTheDampingOfEveryLevelWhereAsked) {
  images_ = RandomImages(48, kImage);
  SensitivityOptions options = Quiet();
  options.images = 16;
  options.damping = 10;  // too much where an image has many positions
  const auto fixed = Run(options);
  options.damping_search = true;
  const auto searched = Run(options);
  ASSERT_EQ(searched.size(), fixed.size());
  for (size_t i = 0; i + 1 < fixed.size(); ++i) {
    EXPECT_LT(searched[i].loss.back(), 0.9 * fixed[i].loss.back()) << fixed[i].layer;
  }
}

TEST_F(Measure, SkippedLayersHaveNoCurve) {
  skipped_ = {"because", "", "", "", "because"};
  std::vector<std::string> names;
  for (const auto& curve : Run()) names.push_back(curve.layer);
  EXPECT_THAT(names, ElementsAre("block.conv1", "block.conv2", "block.down"));
}

TEST_F(Measure, SaysWhatItWillDoAndHowLongItTook) {
  SensitivityOptions options = Quiet();
  options.progress = "sensitivity";
  options.images = 10;
  options.memory_limit_mb = 1;
  images_ = RandomImages(100, kImage);
  Run(options);
  EXPECT_TRUE(log_.Contains(
      "sensitivity: 5 layers, each alone at 30, 60, 90 %, by NormalMaskGenerator; KL divergence on "
      "16 images; least squares on the 84 others; kept activations take up to "));
  EXPECT_TRUE(
      log_.Contains("warning: memory_limit 1 MB is little for 100 images: activations "
                    "before "));
  EXPECT_TRUE(
      log_.Contains("block.conv2: measured with masked weights: its sums take 2.95 MB, "
                    "memory_limit is 1.00 MB"));
  EXPECT_TRUE(log_.Contains("sensitivity: 5 layers in "));
}

TEST_F(Measure, APatternOfOneSparsityGivesOnePoint) {
  generator_ = Generator("NMMaskGenerator");
  for (const SensitivityCurve& curve : Run()) {
    // Of the stem's three input channels one goes.
    EXPECT_THAT(curve.sparsity, ElementsAre(curve.layer == "stem" ? 1.0 / 3 : 0.5));
    EXPECT_GT(curve.loss[0], 0);
  }
}

TEST_F(Measure, LayersThatThePatternDoesNotFitGetThePointZero) {
  class OnlySquares : public MaskGenerator {
   public:
    std::string_view type() const override { return "OnlySquares"; }
    Mask Generate(const Tensor& weight, double sparsity, const MaskContext&) const override {
      Mask mask(weight.shape());
      if (weight.shape()[0] != weight.shape()[1]) return mask;
      for (int64_t i = 0; i < weight.size(); ++i) {
        mask.Set(i, static_cast<double>(i) >= sparsity * static_cast<double>(weight.size()));
      }
      return mask;
    }
    double Achievable(const Shape&, double sparsity, const MaskContext&) const override {
      return sparsity;
    }
  };
  generator_ = std::make_unique<OnlySquares>();
  const auto curves = Run();
  EXPECT_EQ(curves[0], (SensitivityCurve{"stem", 432, layers_[0].macs, {0}, {0}}));
  EXPECT_EQ(curves[2].sparsity.size(), 3U);  // block.conv2, 32×32
  EXPECT_TRUE(log_.Contains("stem: OnlySquares cannot prune it at any level; it stays dense"));
}

TEST_F(Measure, MseOfTheOutputIsAnotherChoice) {
  SensitivityOptions options = Quiet();
  options.loss = OutputLossKind::kMse;
  for (const SensitivityCurve& curve : Run(options)) EXPECT_LT(curve.loss[0], curve.loss[2]);
}

TEST_F(Measure, LayersThatCannotBeSolvedForAreMeasuredMasked) {
  Random random(3);
  testing::GraphBuilder c("matmul");
  const ValueId y = c.Relu("relu", c.Linear("fc", c.Input({12}), 12, 12));
  Tensor other({4, 12});
  for (float& v : other.values()) v = static_cast<float>(random.Normal());
  const ValueId m = c.Parameter("m.weight", std::move(other));
  graph_ = c.Finish({c.Op(OpType::kMatMul, "m", {y, m}, {{"transB", int64_t{1}}})});
  images_ = RandomImages(kImages, {12});
  const auto curves = Run();
  EXPECT_TRUE(
      log_.Contains("m: measured with masked weights: MatMul has no bias that could match "
                    "the means"));
  ASSERT_EQ(curves.size(), 2U);
  for (size_t p = 0; p < 3; ++p) {
    EXPECT_NEAR(curves[1].loss[p], Naive(layers_[1], 1, Quiet().levels[p], false), 1e-6);
  }
}

TEST_F(Measure, BrokenImagesAreLeftOut) {
  images_.broken = {0, 5, 17};
  const auto curves = Run();
  EXPECT_GT(curves[0].loss[2], 0);
  for (int64_t i = 0; i < kImages; ++i) images_.broken.insert(i);
  EXPECT_EQ(MessageOf([&] { Run(); }), "calibration: no image is left of 30");
}

TEST_F(Measure, MistakesAreNamed) {
  SensitivityOptions options = Quiet();
  options.levels = {0.5, 0.4};
  EXPECT_EQ(MessageOf([&] { Run(options); }),
            "sensitivity: level 0.4 after 0.5; levels must increase within 0 … 1");
  options.levels = {50};
  EXPECT_THAT(MessageOf([&] { Run(options); }), HasSubstr("sensitivity: level 50 after 0"));
  options.levels = {};
  EXPECT_EQ(MessageOf([&] { Run(options); }), "sensitivity: no levels given");
  options = Quiet();
  options.images = 0;
  EXPECT_EQ(MessageOf([&] { Run(options); }), "sensitivity: 0 images, expected at least 1");
  images_ = RandomImages(0, kImage);
  EXPECT_EQ(MessageOf([&] { Run(); }), "calibration: no image; measuring sensitivity needs some");
  images_ = RandomImages(9, kImage);
  graph_.mutable_value(graph_.FindValue("fc.bias")).data[0] = INFINITY;
  EXPECT_THAT(MessageOf([&] { Run(); }),
              HasSubstr("stem: the network's output is not finite with 30.09 % of it pruned"));
}

}  // namespace
}  // namespace sparsify

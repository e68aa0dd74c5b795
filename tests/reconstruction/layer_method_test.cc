// Every method inside a network, against the same done by hand: one layer after the other, its
// inputs taken with the interpreter, with the functions of second_order.
#include "reconstruction/layer_method.h"

#include "reconstruction/second_order/admm.h"
#include "reconstruction/second_order/least_squares.h"
#include "reconstruction/second_order/obs.h"
#include "reconstruction/second_order/sparse_gpt.h"
#include "reconstruction/second_order/wanda.h"
#include "sparsity/base/log.h"
#include "sparsity/ops/interpreter.h"
#include "tests/reconstruction/layer_repair_support.h"

namespace sparsify {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr int64_t kBatch = 8;

// An activation of a node, or the images, of one batch.
Tensor ValueOf(const Graph& graph, const Tensor& images, ValueId id) {
  Tensor value = images;
  Interpreter(graph).Run({&images}, [&](int node, const std::vector<const Tensor*>& outputs) {
    if (graph.node(node).outputs[0] == id) value = *outputs[0];
  });
  return value;
}

LayerStatistics Gather(const Graph& student, const Graph& teacher, const Layer& layer,
                       const Dataset& images, int64_t max_positions) {
  StatisticsOptions options;
  options.max_positions = max_positions;
  LayerStatistics statistics(student.node(layer.node), layer, options);
  for (int64_t first = 0; first < images.size(); first += kBatch) {
    Batch batch;
    LoadBatch(images, first, std::min(first + kBatch, images.size()), batch);
    statistics.Add(ValueOf(student, batch.images, student.node(layer.node).inputs[0]),
                   ValueOf(teacher, batch.images, teacher.node(layer.node).outputs[0]));
  }
  return statistics;
}

LayerSolution ByHand(const LayerStatistics& statistics, const Tensor& dense, const Mask& mask,
                     LayerMethod method) {
  switch (method) {
    case LayerMethod::kObs: {
      ObsOptions options;
      options.sparsity = mask.Sparsity();
      options.scale_rows = true;
      return PruneObs(statistics, dense, options);
    }
    case LayerMethod::kAdmm: {
      AdmmOptions options;
      options.sparsity = mask.Sparsity();
      options.scale_rows = true;
      return SolveLeastSquares(statistics, dense, PruneAdmm(statistics, dense, options).mask);
    }
    case LayerMethod::kSparseGpt: {
      SparseGptOptions options;
      options.sparsity = mask.Sparsity();
      options.scale_rows = true;
      return SolveLeastSquares(statistics, dense, PruneSparseGpt(statistics, dense, options).mask);
    }
    case LayerMethod::kWanda: {
      WandaOptions options;
      options.sparsity = mask.Sparsity();
      return SolveLeastSquares(statistics, dense, PruneWanda(statistics, dense, options).mask);
    }
    default:
      return SolveLeastSquares(statistics, dense, mask);
  }
}

class Method : public ::testing::TestWithParam<LayerMethod> {
 protected:
  const LogCapture log_;
};

TEST_P(Method, InANetworkDoesWhatItDoesByHandLayerAfterLayer) {
  const Graph teacher = FoldBatchNorms(testing::SmallResidualNet());
  const std::vector<Layer> layers = LayersOf(teacher);
  const RandomImages images(60, kImage);
  const Masks given = MagnitudeMasks(teacher, 0.5);
  Graph student = teacher;
  Masks masks = given;
  const auto units = RepairLayers({.student = student,
                                   .teacher = teacher,
                                   .masks = masks,
                                   .layers = layers,
                                   .calibration = images,
                                   .title = ""},
                                  Quiet(GetParam()))
                         .units;
  Graph expected = Masked(teacher, given);
  for (size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const std::string& name = teacher.value(layer.weight).name;
    const LayerStatistics statistics = Gather(expected, teacher, layer, images, 100);
    const LayerSolution solution =
        ByHand(statistics, teacher.value(layer.weight).data, given.at(name), GetParam());
    expected.mutable_value(layer.weight).data = solution.weight;
    expected.mutable_value(layer.bias).data = solution.bias;
    EXPECT_EQ(masks.at(name), solution.mask) << name;
    EXPECT_EQ(masks.at(name).CountPruned(), given.at(name).CountPruned()) << name;
    EXPECT_EQ(CountZeros(student.value(layer.weight).data), masks.at(name).CountPruned());
    EXPECT_NEAR(units[i].loss_after, solution.loss / solution.target_variance, 1e-9) << name;
    EXPECT_EQ(units[i].remark, "");
  }
  ExpectEqualParameters(student, expected);
  if (GetParam() != LayerMethod::kLeastSquares) {
    EXPECT_NE(masks.at("block.conv2.weight"), given.at("block.conv2.weight"));
  }
}

TEST_P(Method, GoesOnBehindFinishedLayersWithTheSameResult) {
  const Graph teacher = FoldBatchNorms(testing::SmallResidualNet());
  const std::vector<Layer> layers = LayersOf(teacher);
  const RandomImages images(30, kImage);
  Graph student = teacher;
  Masks masks = MagnitudeMasks(teacher, 0.6);
  std::map<int64_t, std::pair<Graph, Masks>> states;
  RepairTask whole{.student = student,
                   .teacher = teacher,
                   .masks = masks,
                   .layers = layers,
                   .calibration = images,
                   .title = ""};
  whole.on_finished = [&](int64_t finished, std::span<const RepairedUnit> units) {
    EXPECT_EQ(std::ssize(units), finished);
    states[finished] = {student, masks};
  };
  RepairLayers(whole, Quiet(GetParam()));
  ASSERT_EQ(states.size(), layers.size());
  EXPECT_EQ(states.begin()->first, 1);
  for (auto& [finished, state] : states) {
    auto& [later, later_masks] = state;
    RepairTask rest{.student = later,
                    .teacher = teacher,
                    .masks = later_masks,
                    .layers = layers,
                    .calibration = images,
                    .title = "",
                    .finished = finished};
    std::vector<int64_t> calls;
    rest.on_finished = [&](int64_t k, std::span<const RepairedUnit>) { calls.push_back(k); };
    const auto units = RepairLayers(rest, Quiet(GetParam())).units;
    ASSERT_EQ(units.size(), layers.size() - static_cast<size_t>(finished));
    if (!units.empty()) {
      EXPECT_EQ(units[0].name, layers[static_cast<size_t>(finished)].name);
      EXPECT_EQ(calls.front(), finished + 1);
    }
    EXPECT_EQ(later_masks, masks);
    ExpectEqualParameters(later, student);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Method,
                         ::testing::Values(LayerMethod::kLeastSquares, LayerMethod::kObs,
                                           LayerMethod::kAdmm, LayerMethod::kSparseGpt,
                                           LayerMethod::kWanda),
                         [](const auto& method) {
                           return std::string(LayerMethodName(method.param));
                         });

class MethodOptions : public ::testing::Test {
 protected:
  std::vector<RepairedUnit> Run(const LayerRepairOptions& options) {
    return RepairLayers({.student = student_,
                         .teacher = teacher_,
                         .masks = masks_,
                         .layers = LayersOf(teacher_),
                         .calibration = images_,
                         .title = ""},
                        options)
        .units;
  }

  Graph teacher_ = FoldBatchNorms(testing::SmallMobileNet());
  Graph student_ = teacher_;
  Masks masks_ = MagnitudeMasks(teacher_, 0.5);
  RandomImages images_{40, kImage};
  const LogCapture log_;
};

TEST_F(MethodOptions, TwoOfFourHoldsInEveryGroup) {
  for (const LayerMethod method :
       {LayerMethod::kObs, LayerMethod::kAdmm, LayerMethod::kSparseGpt, LayerMethod::kWanda}) {
    student_ = teacher_;
    masks_ = MagnitudeMasks(teacher_, 0.5);
    LayerRepairOptions options = Quiet(method);
    options.pattern.kind = PruneKind::kNM;
    const auto units = Run(options);
    const std::vector<Layer> layers = LayersOf(teacher_);
    for (size_t i = 0; i < layers.size(); ++i) {
      const Shape& shape = layers[i].weight_shape;
      const int64_t taps = layers[i].is_linear ? 1 : shape[2] * shape[3];
      const Mask& mask = masks_.at(teacher_.value(layers[i].weight).name);
      EXPECT_EQ(CountZeros(student_.value(layers[i].weight).data), mask.CountPruned());
      for (int64_t row = 0; row < shape[0]; ++row) {
        for (int64_t at = 0; at < shape[1] * taps; at += 4 * taps) {
          for (int64_t tap = 0; tap < taps; ++tap) {
            const int64_t channels = std::min<int64_t>(4, shape[1] - at / taps);
            int64_t kept = 0;
            for (int64_t c = 0; c < channels; ++c) {
              kept += mask[row * shape[1] * taps + at + c * taps + tap] ? 1 : 0;
            }
            ASSERT_EQ(kept, std::min<int64_t>(2, channels)) << layers[i].name;
          }
        }
      }
      const bool whole = shape[1] % 4 == 0;
      EXPECT_EQ(units[i].remark.empty(), whole) << layers[i].name << units[i].remark;
    }
  }
}

TEST_F(MethodOptions, AShortLastGroupIsSaid) {
  LayerRepairOptions options = Quiet(LayerMethod::kWanda);
  options.pattern.kind = PruneKind::kNM;
  const auto units = Run(options);
  // The first layer reads three channels.
  EXPECT_EQ(units[0].remark,
            "2 of the last 3 of 3 input channels stay at each tap, as 3 is no multiple of 4");
}

TEST_F(MethodOptions, BlocksGoTogetherAndLayersNarrowerThanABlockToo) {
  for (const LayerMethod method :
       {LayerMethod::kObs, LayerMethod::kAdmm, LayerMethod::kSparseGpt, LayerMethod::kWanda}) {
    student_ = teacher_;
    masks_ = MagnitudeMasks(teacher_, 0.5);
    LayerRepairOptions options = Quiet(method);
    options.pattern.kind = PruneKind::kBlock;
    options.pattern.block_inputs = 64;  // more input channels than any layer has
    Run(options);
    for (const Layer& layer : LayersOf(teacher_)) {
      const Shape& shape = layer.weight_shape;
      const int64_t taps = layer.is_linear ? 1 : shape[2] * shape[3];
      const Mask& mask = masks_.at(teacher_.value(layer.weight).name);
      for (int64_t i = 0; i < mask.size(); ++i) {
        const int64_t row = i / (shape[1] * taps);
        ASSERT_EQ(mask[i], mask[row * shape[1] * taps + i % taps]) << layer.name;
      }
    }
  }
}

TEST_F(MethodOptions, AMaskThatPrunesNothingStays) {
  const std::string& name = teacher_.value(LayersOf(teacher_).back().weight).name;
  masks_.at(name) = Mask(masks_.at(name).shape());
  LayerRepairOptions options = Quiet(LayerMethod::kObs);
  options.pattern.kind = PruneKind::kNM;
  Run(options);
  EXPECT_EQ(masks_.at(name).CountPruned(), 0);
}

TEST_F(MethodOptions, ALayerTooLargeForExactObsGoesToAdmmAndSaysSo) {
  LayerRepairOptions options = Quiet(LayerMethod::kObs);
  options.obs_operations = 10;
  const auto units = Run(options);
  const std::string remark =
      "ADMM instead: exact OBS needs 5.2e+04 operations (8 rows of 27 columns), at most 10 "
      "are "
      "allowed";
  EXPECT_EQ(units[0].remark, remark);
  EXPECT_TRUE(log_.Contains(units[0].name + ": " + remark));
  const Graph fallen = student_;
  student_ = teacher_;
  masks_ = MagnitudeMasks(teacher_, 0.5);
  Run(Quiet(LayerMethod::kAdmm));
  ExpectEqualParameters(fallen, student_);
}

// Mean and variance of every channel of a layer's output over all images and positions.
std::vector<std::pair<double, double>> OutputMoments(const Graph& graph, const Layer& layer,
                                                     const Dataset& images) {
  Batch batch;
  LoadBatch(images, 0, images.size(), batch);
  const Tensor y = ValueOf(graph, batch.images, graph.node(layer.node).outputs[0]);
  const int64_t channels = y.shape()[1];
  const int64_t plane = y.size() / y.shape()[0] / channels;
  std::vector<std::pair<double, double>> moments;
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    double square = 0;
    for (int64_t n = 0; n < y.shape()[0]; ++n) {
      for (int64_t p = 0; p < plane; ++p) {
        const double v = y[(n * channels + c) * plane + p];
        sum += v;
        square += v * v;
      }
    }
    const auto count = static_cast<double>(y.shape()[0] * plane);
    moments.emplace_back(sum / count, square / count - sum / count * sum / count);
  }
  return moments;
}

void ExpectEqualMoments(const Graph& student, const Graph& teacher, const Dataset& images) {
  for (const Layer& layer : LayersOf(teacher)) {
    const auto actual = OutputMoments(student, layer, images);
    const auto expected = OutputMoments(teacher, layer, images);
    for (size_t c = 0; c < expected.size(); ++c) {
      const double deviation = std::sqrt(expected[c].second);
      EXPECT_NEAR(actual[c].first, expected[c].first, 1e-3 * deviation) << layer.name << c;
      EXPECT_NEAR(actual[c].second, expected[c].second, 2e-3 * expected[c].second)
          << layer.name << c;
    }
  }
}

// Every third weight goes, so that no row loses all of them.
Masks ThirdMasks(const Graph& graph) {
  Masks masks;
  for (const Layer& layer : LayersOf(graph)) {
    Mask mask(layer.weight_shape);
    for (int64_t i = 0; i < mask.size(); i += 3) mask.Set(i, false);
    masks.emplace(graph.value(layer.weight).name, std::move(mask));
  }
  return masks;
}

TEST_F(MethodOptions, StatisticsMatchEveryChannelAndOnlyScaleTheRows) {
  student_ = teacher_ = FoldBatchNorms(testing::SmallResidualNet());
  masks_ = ThirdMasks(teacher_);
  const Masks given = masks_;
  const Graph masked = Masked(teacher_, masks_);
  LayerRepairOptions options = Quiet(LayerMethod::kStatistics);
  options.max_positions = 0;
  for (const RepairedUnit& unit : Run(options)) ASSERT_EQ(unit.remark, "") << unit.name;
  ExpectEqualMoments(student_, teacher_, images_);
  EXPECT_EQ(masks_, given);
  for (const Layer& layer : LayersOf(teacher_)) {
    const Tensor& before = masked.value(layer.weight).data;
    const Tensor& after = student_.value(layer.weight).data;
    const int64_t columns = before.size() / before.shape()[0];
    for (int64_t row = 0; row < before.shape()[0]; ++row) {
      double ratio = 0;
      for (int64_t i = row * columns; i < (row + 1) * columns; ++i) {
        if (before[i] == 0) {
          ASSERT_EQ(after[i], 0.0F);
          continue;
        }
        const double here = double{after[i]} / before[i];
        if (ratio == 0) ratio = here;
        ASSERT_NEAR(here, ratio, 1e-5 * ratio);
      }
    }
  }
}

TEST_F(MethodOptions, StatisticsCorrectionFollowsTheSolverAndTheFitBehindActivations) {
  for (const bool fit : {false, true}) {
    student_ = teacher_ = FoldBatchNorms(testing::SmallResidualNet());
    masks_ = ThirdMasks(teacher_);
    LayerRepairOptions options = Quiet();
    options.max_positions = 0;
    options.statistics_correction = true;
    options.activation_aware = fit;
    for (const RepairedUnit& unit : Run(options)) ASSERT_EQ(unit.remark, "") << unit.name;
    ExpectEqualMoments(student_, teacher_, images_);
  }
}

TEST(LayerMethod, NamesAreKnown) {
  EXPECT_EQ(LayerMethodFromName("here", "sparse_gpt"), LayerMethod::kSparseGpt);
  EXPECT_EQ(LayerMethodTitle(LayerMethod::kObs), "exact OBS");
  EXPECT_EQ(testing::MessageOf([] { LayerMethodFromName("here", "sparsegpt"); }),
            "here: unknown method \"sparsegpt\"; did you mean \"sparse_gpt\"; known: "
            "least_squares, obs, admm, sparse_gpt, wanda, statistics");
}

}  // namespace
}  // namespace sparsify

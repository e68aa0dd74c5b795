#include "reconstruction/distillation_objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/reconstruction/distillation_support.h"

namespace sparsify {
namespace {

using reference::Array;
using testing::BottleneckNet;
using testing::BottleneckOutputs;
using ::testing::ElementsAre;
using testing::LayersOf;
using testing::Parameters;
using testing::ParametersOf;
using testing::RandomTensor;
using testing::RunBottleneck;
using testing::ToArray;

constexpr double kLogits = 0.8;
constexpr double kBlocks = 1.7;

double Variance(const Array& x) {
  double sum = 0;
  double squares = 0;
  for (const double v : x.values) sum += v;
  const auto count = static_cast<double>(x.values.size());
  for (const double v : x.values) squares += (v - sum / count) * (v - sum / count);
  return squares / count;
}

double MeanSquare(const Array& a, const Array& b) {
  double sum = 0;
  for (size_t i = 0; i < a.values.size(); ++i) {
    sum += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
  }
  return sum / static_cast<double>(a.values.size());
}

double Divergence(const Array& q, const Array& p) {
  double total = 0;
  for (size_t row = 0; row < q.values.size(); row += 4) {
    double sum_q = 0;
    double sum_p = 0;
    for (size_t k = row; k < row + 4; ++k) {
      sum_q += std::exp(q.values[k]);
      sum_p += std::exp(p.values[k]);
    }
    for (size_t k = row; k < row + 4; ++k) {
      const double share = std::exp(p.values[k]) / sum_p;
      total += share * std::log(share / (std::exp(q.values[k]) / sum_q));
    }
  }
  return total / static_cast<double>(q.dims[0]);
}

// The loss of distill.h in double: variances from `measured`.
double ReferenceLoss(const Parameters& student, const Parameters& teacher, const Array& images,
                     const Array& measured, bool squared_logits) {
  const BottleneckOutputs s = RunBottleneck(student, images);
  const BottleneckOutputs t = RunBottleneck(teacher, images);
  const BottleneckOutputs m = RunBottleneck(teacher, measured);
  const double logits = squared_logits ? MeanSquare(s.logits, t.logits) / Variance(m.logits)
                                       : Divergence(s.logits, t.logits);
  return kLogits * logits + kBlocks / 2 *
                                (MeanSquare(s.block, t.block) / Variance(m.block) +
                                 MeanSquare(s.features, t.features) / Variance(m.features));
}

class DistillationObjectiveTest : public ::testing::Test {
 protected:
  DistillationObjectiveTest() {
    Random random(8);
    images_ = RandomTensor(random, {11, 2, 6, 6});  // more than a part
    measured_ = RandomTensor(random, {9, 2, 6, 6});
    for (const Layer& layer : LayersOf(student_)) {
      for (const ValueId id : {layer.weight, layer.bias}) {
        Tensor noise = RandomTensor(random, student_.value(id).data.shape());
        Tensor moved = student_.value(id).data;
        for (int64_t i = 0; i < moved.size(); ++i) moved[i] += 0.1F * noise[i];
        moved_.emplace(id, std::move(moved));
      }
    }
    for (const auto& [id, tensor] : moved_) {
      parameters_[id] = &tensor;
      by_name_[student_.value(id).name] = ToArray(tensor);
    }
  }

  DistillationObjective Make(bool squared_logits = true, double logits = kLogits,
                             double blocks = kBlocks) {
    const auto layers = LayersOf(student_);
    return {student_,
            teacher_,
            layers,
            FindTargets(student_, teacher_, layers),
            {squared_logits, logits, blocks}};
  }
  void ExpectLossWithItsGradient(bool squared_logits);

  Graph student_ = BottleneckNet(3);
  Graph teacher_ = BottleneckNet(3);
  Tensor images_;
  Tensor measured_;
  std::map<ValueId, Tensor> moved_;
  std::map<ValueId, const Tensor*> parameters_;
  Parameters by_name_;
};

void DistillationObjectiveTest::ExpectLossWithItsGradient(bool squared_logits) {
  DistillationObjective objective = Make(squared_logits);
  objective.Measure(measured_);
  std::map<ValueId, Tensor> gradients;
  for (const auto& [id, tensor] : parameters_) gradients[id] = Tensor({2}, {7, 7});
  const double loss = objective.Loss(images_, parameters_, &gradients);
  const Parameters teacher = ParametersOf(teacher_);
  const Array images = ToArray(images_);
  const auto reference = [&] {
    return ReferenceLoss(by_name_, teacher, images, ToArray(measured_), squared_logits);
  };
  EXPECT_NEAR(loss, reference(), 1e-5 * loss);
  EXPECT_NEAR(objective.Loss(images_, parameters_, nullptr), loss, 1e-12);
  constexpr double kStep = 1e-5;
  for (const auto& [id, gradient] : gradients) {
    Array& w = by_name_.at(student_.value(id).name);
    ASSERT_EQ(gradient.size(), std::ssize(w.values));
    double largest = 0;
    for (const float g : gradient.values()) largest = std::max<double>(largest, std::abs(g));
    for (size_t i = 0; i < w.values.size(); ++i) {
      const double x = w.values[i];
      w.values[i] = x + kStep;
      const double above = reference();
      w.values[i] = x - kStep;
      const double below = reference();
      w.values[i] = x;
      EXPECT_NEAR(gradient[static_cast<int64_t>(i)], (above - below) / (2 * kStep),
                  1e-3 * largest + 1e-6)
          << student_.value(id).name << " " << i;
    }
  }
}

TEST_F(DistillationObjectiveTest, IsTheLossWithItsGradientOfSquaredLogits) {
  ExpectLossWithItsGradient(true);
}

TEST_F(DistillationObjectiveTest, IsTheLossWithItsGradientOfDivergence) {
  ExpectLossWithItsGradient(false);
}

TEST_F(DistillationObjectiveTest, EachPartOfTheLossCanBeSwitchedOff) {
  DistillationObjective both = Make(false);
  DistillationObjective logits = Make(false, kLogits, 0);
  DistillationObjective blocks = Make(false, 0, kBlocks);
  for (DistillationObjective* objective : {&both, &logits, &blocks}) objective->Measure(measured_);
  const double a = logits.Loss(images_, parameters_, nullptr);
  const double b = blocks.Loss(images_, parameters_, nullptr);
  EXPECT_NEAR(both.Loss(images_, parameters_, nullptr), a + b, 1e-9);
  const Parameters teacher = ParametersOf(teacher_);
  EXPECT_NEAR(a,
              kLogits * Divergence(RunBottleneck(by_name_, ToArray(images_)).logits,
                                   RunBottleneck(teacher, ToArray(images_)).logits),
              1e-5 * a);
  EXPECT_GT(b, 0);
}

TEST_F(DistillationObjectiveTest, IsZeroForTheTeachersOwnWeights) {
  DistillationObjective objective = Make();
  objective.Measure(measured_);
  EXPECT_EQ(objective.Loss(images_, {}, nullptr), 0);
}

TEST_F(DistillationObjectiveTest, MeasuresHowLayerOutputsSpread) {
  DistillationObjective objective = Make();
  const std::vector<Spread> spreads = objective.Measure(measured_);
  ASSERT_EQ(spreads.size(), 5U);
  const BottleneckOutputs out = RunBottleneck(ParametersOf(teacher_), ToArray(measured_));
  EXPECT_NEAR(spreads[2].Variance(), Variance(out.block), 1e-4 * Variance(out.block));
  const std::vector<double> deviations = spreads[4].ChannelDeviations();
  ASSERT_EQ(deviations.size(), 4U);
  for (size_t k = 0; k < 4; ++k) {
    Array column = {{9}, {}};
    for (size_t n = 0; n < 9; ++n) column.values.push_back(out.logits.values[n * 4 + k]);
    EXPECT_NEAR(deviations[k], std::sqrt(Variance(column)), 1e-4);
  }
}

TEST_F(DistillationObjectiveTest, ConstantOutputsAreLeftOut) {
  for (Graph* graph : {&student_, &teacher_}) {
    graph->mutable_value(graph->FindValue("p.weight")).data.Fill(0);
    graph->mutable_value(graph->FindValue("p.bias")).data.Fill(0);
    graph->mutable_value(graph->FindValue("e.bias")).data.Fill(1);
    graph->mutable_value(graph->FindValue("fc.weight")).data.Fill(0);
    graph->mutable_value(graph->FindValue("fc.bias")).data.Fill(0);
  }
  DistillationObjective objective = Make();
  EXPECT_EQ(objective.blocks().size(), 2U);
  objective.Measure(measured_);
  EXPECT_EQ(objective.blocks().size(), 0U);
  EXPECT_THAT(objective.dropped(), ElementsAre("p.out", "flatten.out", "fc.out"));
  EXPECT_EQ(objective.Loss(images_, {}, nullptr), 0);
}

TEST_F(DistillationObjectiveTest, AFixedBatchSizeTakesWholeBatchesOnly) {
  DistillationObjective free = Make();
  free.Measure(measured_);
  Tensor nine = Tensor(Shape{9, 2, 6, 6});
  std::copy_n(images_.data(), nine.size(), nine.data());
  const double expected = free.Loss(nine, parameters_, nullptr);
  for (Graph* graph : {&student_, &teacher_}) graph->inputs[0].shape.set_dim(0, 3);
  DistillationObjective fixed = Make();
  fixed.Measure(measured_);
  EXPECT_NEAR(fixed.Loss(images_, parameters_, nullptr), expected, 1e-6 * expected);
}

}  // namespace
}  // namespace sparsify

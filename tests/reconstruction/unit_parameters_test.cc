#include "reconstruction/unit_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/ops/infer_shapes.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using ::testing::ElementsAreArray;
using ::testing::UnorderedElementsAre;

class Parameters : public ::testing::Test {
 protected:
  // Every third weight of the stem is pruned.
  Parameters() {
    options_.weight_lr = 0.01;
    Mask mask(teacher_.value(weight_).data.shape());
    for (int64_t i = 0; i < mask.size(); i += 3) mask.Set(i, false);
    masks_ = {{"stem.weight", mask}};
    ApplyMask(mask, student_.mutable_value(weight_).data);
  }

  UnitParameters Make() {
    return UnitParameters(student_, teacher_, layers_, unit_, masks_, options_);
  }
  Tensor& Student() { return student_.mutable_value(weight_).data; }
  const Tensor& Dense() const { return teacher_.value(weight_).data; }

  const Graph teacher_ = testing::SmallResidualNet();
  Graph student_ = teacher_;
  const std::vector<Layer> layers_ = FindLayers(teacher_, InferShapes(teacher_, 1));
  const Unit unit_ = FindUnits(teacher_, layers_, UnitPattern::kLayer).at(0);
  const ValueId weight_ = teacher_.FindValue("stem.weight");
  std::map<std::string, Mask> masks_;
  UnitRepairOptions options_;
};

TEST_F(Parameters, AStepMovesKeptWeightsAndHoldsPrunedOnesAtPlusZero) {
  UnitParameters parameters = Make();
  ASSERT_EQ(parameters.gradients().size(), 1U);  // no bias; batch norm is frozen
  const Tensor before = Student();
  Tensor& gradient = parameters.gradients().at(weight_);
  for (int64_t i = 0; i < gradient.size(); ++i) gradient[i] = i % 2 == 0 ? 3.0F : -0.2F;
  parameters.Step(0.5);
  for (int64_t i = 0; i < before.size(); ++i) {
    if (i % 3 == 0) {
      ASSERT_TRUE(Student()[i] == 0 && !std::signbit(Student()[i])) << i;
    } else {  // Adam's first step is its rate against the gradient's sign
      ASSERT_NEAR(Student()[i], before[i] + (i % 2 == 0 ? -0.005 : 0.005), 1e-6) << i;
    }
  }
}

TEST_F(Parameters, WeightsThatComeBackHaveTheTeachersValue) {
  options_.mask_is_static = false;
  options_.remake_mask = [](const std::string& name, const Tensor& weight) {
    EXPECT_EQ(name, "stem.weight");
    return Mask(weight.shape());
  };
  Make().Show();
  EXPECT_THAT(Student().values(), ElementsAreArray(Dense().values()));
  EXPECT_EQ(masks_.at("stem.weight").CountPruned(), 0);
}

TEST_F(Parameters, CorrectedChannelsHaveTheDenseMeanAndDeviation) {
  options_.weight_correction = true;
  Make().CorrectWeights();
  const auto moments = [](const Tensor& weight, int64_t channel) {
    double sum = 0;
    double squares = 0;
    for (int64_t i = channel * 27; i < channel * 27 + 27; ++i) {
      sum += weight[i];
      squares += weight[i] * weight[i];
    }
    return std::pair(sum / 27, std::sqrt(squares / 27 - sum * sum / 27 / 27));
  };
  for (int64_t c = 0; c < 16; ++c) {
    EXPECT_NEAR(moments(Student(), c).first, moments(Dense(), c).first, 1e-6) << c;
    // Shifting the kept weights only moves the deviation by a little.
    EXPECT_NEAR(moments(Student(), c).second / moments(Dense(), c).second, 1, 0.05) << c;
  }
  for (int64_t i = 0; i < Dense().size(); i += 3) EXPECT_EQ(Student()[i], 0.0F);
}

TEST_F(Parameters, ASnapshotHoldsEverythingThatTheUnitReads) {
  UnitParameters parameters = Make();
  const auto snapshot = parameters.Save();
  std::vector<std::string> names;
  for (const auto& [id, tensor] : snapshot.values) names.push_back(student_.value(id).name);
  EXPECT_THAT(names, UnorderedElementsAre("stem.weight", "stem.bn.weight", "stem.bn.bias",
                                          "stem.bn.running_mean", "stem.bn.running_var"));
  const Tensor before = Student();
  const Mask mask = masks_.at("stem.weight");
  Student().Fill(7);
  masks_.at("stem.weight") = Mask(mask.shape());
  student_.mutable_value(student_.FindValue("stem.bn.bias")).data.Fill(7);
  parameters.Restore(snapshot);
  EXPECT_THAT(Student().values(), ElementsAreArray(before.values()));
  EXPECT_EQ(masks_.at("stem.weight"), mask);
  const ValueId beta = student_.FindValue("stem.bn.bias");
  EXPECT_THAT(student_.value(beta).data.values(),
              ElementsAreArray(teacher_.value(beta).data.values()));
}

TEST_F(Parameters, LayersWithoutAMaskAndBiasesAreTrainedToo) {
  options_.bias_lr = 0.1;
  const Unit head = FindUnits(teacher_, layers_, UnitPattern::kLayer).back();
  UnitParameters parameters(student_, teacher_, layers_, head, masks_, options_);
  std::vector<std::string> names;
  for (const auto& [id, tensor] : parameters.gradients()) {
    names.push_back(student_.value(id).name);
    parameters.gradients().at(id).Fill(1);
  }
  EXPECT_THAT(names, UnorderedElementsAre("fc.weight", "fc.bias"));
  const ValueId bias = student_.FindValue("fc.bias");
  const float before = student_.value(bias).data[3];
  parameters.Step(1);
  EXPECT_NEAR(student_.value(bias).data[3], before - 0.1, 1e-6);
  EXPECT_EQ(parameters.remark(), "");
}

}  // namespace
}  // namespace sparsify

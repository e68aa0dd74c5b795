#include "sparsity/training/network_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/training/training_support.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::MessageOf;
using testing::SameBits;
using testing::TinyNet;

class NetworkParametersTest : public ::testing::Test {
 protected:
  NetworkParameters Make(const std::vector<double>& sparsity) {
    return {graph_, layers_, sparsity, 1};
  }
  const Tensor& Of(const std::string& name) { return testing::ParameterOf(graph_, name); }

  Graph graph_ = TinyNet();
  std::vector<Layer> layers_ = FindLayers(graph_, InferShapes(graph_, 1));
};

TEST_F(NetworkParametersTest, AreLayersAndBatchNormAndNothingElse) {
  const NetworkParameters parameters = Make({});
  std::vector<std::string> names;
  std::vector<std::string> decaying;
  for (const TrainedParameter& parameter : parameters.all()) {
    names.push_back(parameter.name);
    if (parameter.decays) decaying.push_back(parameter.name);
    EXPECT_EQ(parameter.value, &Of(parameter.name));
    EXPECT_EQ(parameter.weight, nullptr);
  }
  EXPECT_THAT(names, ElementsAre("conv.weight", "conv.bias", "fc.weight", "fc.bias", "bn.weight",
                                 "bn.bias"));
  EXPECT_THAT(decaying, ElementsAre("conv.weight", "fc.weight"));
  EXPECT_TRUE(parameters.weights().empty());
  EXPECT_TRUE(parameters.Overrides().empty());
  EXPECT_EQ(parameters.Sparsity(), 0);
}

TEST_F(NetworkParametersTest, ASharedParameterIsOne) {
  testing::GraphBuilder b;
  const ValueId x = b.Input({4, 3, 3});
  const ValueId weight = b.Parameter("w", testing::Numbers(1, {4, 4, 1, 1}));
  const testing::AttributeList attributes = {{"kernel_shape", std::vector<int64_t>{1, 1}}};
  const ValueId once = b.Op(OpType::kConv, "a", {x, weight}, attributes);
  graph_ = b.Finish({b.Op(OpType::kConv, "b", {once, weight}, attributes)});
  layers_ = FindLayers(graph_, InferShapes(graph_, 1));
  const NetworkParameters parameters = Make({0.5});
  ASSERT_EQ(parameters.all().size(), 1U);
  EXPECT_EQ(parameters.all()[0].weight, parameters.weights().data());
}

TEST_F(NetworkParametersTest, PrunedWeightsStandInForTheGraphs) {
  NetworkParameters parameters = Make({-1, 0.5});
  ASSERT_EQ(parameters.weights().size(), 1U);
  TrainedWeight& weight = parameters.weights()[0];
  EXPECT_EQ(weight.name(), "fc.weight");
  EXPECT_EQ(weight.sparsity(), 0.5);
  EXPECT_EQ(weight.context().layer_index, 1U);
  EXPECT_EQ(parameters.all()[2].value, &weight.latent);
  EXPECT_EQ(parameters.Overrides().at(graph_.FindValue("fc.weight")), &weight.effective);
  Mask mask({3, 4});
  mask.Set(5, false);
  weight.SetMask(mask);
  weight.ShowMasked();
  EXPECT_DOUBLE_EQ(parameters.Sparsity(), 1.0 / 12);
  const float pruned = Of("fc.weight")[5];
  parameters.Bake();
  EXPECT_EQ(Of("fc.weight")[5], 0);
  EXPECT_EQ(parameters.Latent().at("fc.weight")[5], pruned);
  EXPECT_EQ(parameters.Latent().size(), 8U);
  EXPECT_EQ(parameters.Masks().at("fc.weight"), mask);
}

TEST_F(NetworkParametersTest, RestoresWhatItGave) {
  const auto latent = NetworkParameters(graph_, layers_, {0.5, 0.5}, 1).Latent();
  Mask mask({3, 4});
  mask.Set(5, false);
  graph_ = TinyNet(30);
  NetworkParameters parameters = Make({0.5, 0.5});
  parameters.RestoreMasks({{"conv.weight", Mask({4, 2, 3, 3})}, {"fc.weight", mask}});
  parameters.RestoreLatent(latent);
  EXPECT_TRUE(SameBits(parameters.Latent(), latent));
  EXPECT_EQ(parameters.weights()[1].effective[5], 0);
  EXPECT_EQ(parameters.weights()[1].effective[4], latent.at("fc.weight")[4]);
  EXPECT_TRUE(SameBits(Of("bn.running_var"), latent.at("bn.running_var")));
}

TEST_F(NetworkParametersTest, RefusesWhatIsOfAnotherNetwork) {
  NetworkParameters parameters = Make({0.5, -1});
  const auto latent = parameters.Latent();
  const auto message = [&](auto change) {
    auto changed = latent;
    change(changed);
    changed.begin()->second.Fill(7);
    const std::string text = MessageOf([&] { parameters.RestoreLatent(changed); });
    EXPECT_TRUE(SameBits(parameters.Latent(), latent));
    return text;
  };
  EXPECT_EQ(message([](auto& state) { state.erase("fc.bias"); }),
            "training state: has no parameter \"fc.bias\"; it is of another network or run");
  EXPECT_EQ(message([](auto& state) { state["fc.bias"] = Tensor({4}); }),
            "training state: parameter \"fc.bias\" has shape [4], the network's [3]");
  EXPECT_EQ(message([](auto& state) { state["more"] = Tensor({4}); }),
            "training state: holds a parameter \"more\" that this run does not have; it is of "
            "another network or run");
  const Mask mask({4, 2, 3, 3});
  EXPECT_EQ(MessageOf([&] { parameters.RestoreMasks({}); }),
            "training state: has no mask \"conv.weight\"; it is of another network or run");
  EXPECT_EQ(MessageOf([&] {
              parameters.RestoreMasks({{"conv.weight", Mask({4, 18})}});
            }),
            "training state: mask \"conv.weight\" has shape [4,18], the network's [4,2,3,3]");
  EXPECT_EQ(MessageOf([&] {
              parameters.RestoreMasks({{"conv.weight", mask}, {"fc.weight", Mask({3, 4})}});
            }),
            "training state: holds a mask \"fc.weight\" that this run does not have; it is of "
            "another network or run");
}

TEST_F(NetworkParametersTest, NeedsASparsityForEachLayer) {
  EXPECT_EQ(MessageOf([&] { Make({0.5}); }), "training: 1 sparsities given for 2 layers");
}

}  // namespace
}  // namespace sparsify

#include "sparsity/training/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/base/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::MessageOf;
using testing::RandomTensor;
using testing::Same;
using Row = std::vector<float>;

OptimizerOptions Sgd(double momentum, bool nesterov, double decay) {
  OptimizerOptions options;
  options.momentum = momentum;
  options.nesterov = nesterov;
  options.weight_decay = decay;
  return options;
}

OptimizerOptions AdamOf(const std::string& type, double decay) {
  OptimizerOptions options;
  options.type = type;
  options.weight_decay = decay;
  return options;
}

const Row kStart = {0.5, -1.25, 2.0, 0.0};
const std::vector<Row> kGradients = {{0.1F, -0.2F, 0.3F, 0.4F},
                                     {-0.5, 0.25, 0.125, -1.0},
                                     {0.75, 0.0, -0.375, 0.2F},
                                     {0.05F, -0.6F, 0.9F, -0.3F}};
const std::vector<double> kRates = {0.1, 0.1, 0.05, 0.02};

// Four steps of torch 2.15's torch.optim.{SGD, Adam, AdamW} from kStart down kGradients, with the
// learning rate set to kRates before each.
void ExpectSteps(const OptimizerOptions& options,
                 const std::vector<std::vector<double>>& expected) {
  Optimizer optimizer(options);
  const size_t index = optimizer.Add("w", {2, 2}, true);
  Tensor parameter({2, 2}, kStart);
  for (size_t step = 0; step < kGradients.size(); ++step) {
    SCOPED_TRACE(::testing::Message() << options.type << " step " << step);
    optimizer.Step(index, Tensor({2, 2}, kGradients[step]), kRates[step], nullptr, parameter);
    // A dozen roundings a step of numbers below 2, and PyTorch's own.
    EXPECT_TRUE(testing::Close(parameter, {{2, 2}, expected[step]}, 8, 2));
  }
}

TEST(Optimizer, IsPyTorchsSgd) {
  ExpectSteps(Sgd(0.9, true, 0.01), {{0.480049998, -1.20962501, 1.93920004, -0.0759999976},
                                     {0.56563288, -1.23761427, 1.88584554, 0.0817443877},
                                     {0.510073841, -1.23832798, 1.90216708, 0.0886175036},
                                     {0.501580596, -1.21553719, 1.86670947, 0.106072865}});
  ExpectSteps(Sgd(0.8, false, 0), {{0.49000001, -1.23000002, 1.97000003, -0.0400000028},
                                   {0.532000005, -1.23899996, 1.93350005, 0.0279999934},
                                   {0.511300027, -1.24259996, 1.93765008, 0.045199994},
                                   {0.503676057, -1.23175192, 1.92097807, 0.0567039922}});
  ExpectSteps(Sgd(0, false, 0.1), {{0.484999985, -1.21749997, 1.95000005, -0.0400000028},
                                   {0.530149996, -1.23032498, 1.9180001, 0.0603999943},
                                   {0.489999235, -1.22417331, 1.92716014, 0.0500979945},
                                   {0.488019228, -1.2097249, 1.90530586, 0.0559978001}});
}

TEST(Optimizer, IsPyTorchsAdam) {
  ExpectSteps(AdamOf("adam", 0.01), {{0.400000006, -1.14999998, 1.89999998, -0.100000001},
                                     {0.458931386, -1.16100955, 1.80835164, -0.0557475351},
                                     {0.445112765, -1.164101, 1.80631614, -0.0447438285},
                                     {0.439897776, -1.15426624, 1.79579043, -0.0381918103}});
  OptimizerOptions options = AdamOf("adam", 0);
  options.beta1 = 0.8;
  options.beta2 = 0.95;
  options.epsilon = 1e-3;
  ExpectSteps(options, {{0.400990099, -1.15049756, 1.90033221, -0.0997506306},
                        {0.464777738, -1.17242539, 1.81167674, -0.0506640412},
                        {0.448877722, -1.18044615, 1.81756079, -0.0395036303},
                        {0.443225145, -1.1699332, 1.80688775, -0.0325697437}});
  ExpectSteps(AdamOf("adamw", 0.1), {{0.395000011, -1.13749993, 1.88, -0.100000001},
                                     {0.450885415, -1.14239824, 1.77072012, -0.054778479},
                                     {0.435210377, -1.14297581, 1.7631222, -0.0435352549},
                                     {0.42930907, -1.13140225, 1.74961436, -0.0369089842}});
}

// Every kind, for what holds for all of them.
std::vector<OptimizerOptions> Kinds() {
  return {Sgd(0.9, true, 0.1), Sgd(0.9, false, 0.1), AdamOf("adam", 0.1), AdamOf("adamw", 0.1)};
}

TEST(Optimizer, DecaysOnlyWhatDecays) {
  for (const OptimizerOptions& options : Kinds()) {
    SCOPED_TRACE(options.type);
    Optimizer optimizer(options);
    const size_t weight = optimizer.Add("weight", {1}, true);
    const size_t bias = optimizer.Add("bias", {1}, false);
    Tensor w({1}, {2});
    Tensor b({1}, {2});
    optimizer.Step(weight, Tensor(Shape{1}), 0.5, nullptr, w);
    optimizer.Step(bias, Tensor(Shape{1}), 0.5, nullptr, b);
    EXPECT_LT(w[0], 2);
    EXPECT_EQ(b[0], 2);
  }
}

TEST(Optimizer, PrunedElementsStayBitForBitAndForget) {
  for (const OptimizerOptions& options : Kinds()) {
    SCOPED_TRACE(options.type);
    Random random(1);
    constexpr int64_t kSize = 40001;  // several chunks
    Tensor start = RandomTensor(random, {kSize});
    start[1] = -0.0F;
    const Tensor first = RandomTensor(random, {kSize});
    Tensor second = RandomTensor(random, {kSize});
    second[3] = std::nanf("");
    Tensor keep(Shape{kSize});
    for (int64_t i = 0; i < kSize; ++i) keep[i] = static_cast<float>(i % 2 == 0);
    Optimizer masked(options);
    Optimizer all(options);
    Tensor a = start;
    Tensor b = start;
    for (auto [optimizer, p] : {std::pair(&masked, &a), std::pair(&all, &b)}) {
      optimizer->Add("w", {kSize}, true);
      optimizer->Step(0, first, 0.1, nullptr, *p);
    }
    const Tensor before = a;
    masked.Step(0, second, 0.1, &keep, a);
    all.Step(0, second, 0.1, nullptr, b);
    for (int64_t i = 0; i < kSize; ++i) {
      ASSERT_EQ(a[i], i % 2 == 0 ? b[i] : before[i]) << i;
      ASSERT_EQ(std::signbit(a[i]), std::signbit(i % 2 == 0 ? b[i] : before[i])) << i;
    }
    for (const auto& [name, tensor] : masked.State()) {
      if (name == "w/steps") continue;
      for (int64_t i = 1; i < kSize; i += 2) ASSERT_EQ(tensor[i], 0) << name << " " << i;
      EXPECT_NE(tensor[0], 0) << name;
    }
    // Without a gradient to come, what was pruned does not move when the mask lets it go: nothing
    // is left of its momentum.
    Optimizer plain(options);
    plain.Add("w", {kSize}, false);
    Tensor c = start;
    plain.Step(0, first, 0.1, nullptr, c);
    plain.Step(0, first, 0.1, &keep, c);
    const Tensor pruned = c;
    plain.Step(0, Tensor(Shape{kSize}), 0.1, nullptr, c);
    for (int64_t i = 1; i < kSize; i += 2) ASSERT_EQ(c[i], pruned[i]) << i;
    EXPECT_NE(c[0], pruned[0]);
  }
}

TEST(Optimizer, BeginsAgainAfterAReset) {
  for (const OptimizerOptions& options : Kinds()) {
    SCOPED_TRACE(options.type);
    const Tensor gradient({4}, kGradients[0]);
    Optimizer fresh(options);
    Optimizer used(options);
    for (Optimizer* optimizer : {&fresh, &used}) optimizer->Add("w", {4}, true);
    Tensor a({4}, kStart);
    used.Step(0, Tensor({4}, kGradients[1]), 0.1, nullptr, a);
    used.ResetMomentum();
    a = Tensor({4}, kStart);
    Tensor b = a;
    used.Step(0, gradient, 0.1, nullptr, a);
    fresh.Step(0, gradient, 0.1, nullptr, b);
    EXPECT_TRUE(Same(a, b));
  }
}

TEST(Optimizer, GoesOnFromItsState) {
  for (const OptimizerOptions& options : Kinds()) {
    SCOPED_TRACE(options.type);
    Optimizer first(options);
    Optimizer second(options);
    for (Optimizer* optimizer : {&first, &second}) {
      optimizer->Add("a", {2, 2}, true);
      optimizer->Add("b", {1}, false);
    }
    Tensor a({2, 2}, kStart);
    for (size_t step = 0; step < 3; ++step) {
      first.Step(0, Tensor({2, 2}, kGradients[step]), 0.1, nullptr, a);
    }
    second.SetState(first.State());
    Tensor b = a;
    first.Step(0, Tensor({2, 2}, kGradients[3]), 0.1, nullptr, a);
    second.Step(0, Tensor({2, 2}, kGradients[3]), 0.1, nullptr, b);
    EXPECT_TRUE(Same(a, b));
    std::vector<std::string> names;
    for (const auto& [name, tensor] : second.State()) names.push_back(name);
    if (options.type == "sgd") {
      EXPECT_THAT(names, ElementsAre("a/momentum", "b/momentum"));
    } else {
      EXPECT_THAT(names,
                  ElementsAre("a/mean", "a/square", "a/steps", "b/mean", "b/square", "b/steps"));
      EXPECT_EQ(second.State().at("a/steps")[0], 4);
      EXPECT_EQ(second.State().at("b/steps")[0], 0);
    }
  }
}

TEST(Optimizer, IsTheSameOnAnyThreads) {
  for (const OptimizerOptions& options : Kinds()) {
    const auto run = [&](int threads) {
      SetThreads(threads);
      Random random(4);
      Optimizer optimizer(options);
      optimizer.Add("w", {300, 300}, true);
      Tensor parameter = RandomTensor(random, {300, 300});
      for (int step = 0; step < 3; ++step) {
        optimizer.Step(0, RandomTensor(random, {300, 300}), 0.1, nullptr, parameter);
      }
      SetThreads(0);
      return parameter;
    };
    EXPECT_TRUE(Same(run(1), run(4)));
  }
}

TEST(Optimizer, RefusesStatesOfOthers) {
  Optimizer sgd((OptimizerOptions()));
  sgd.Add("w", {2}, true);
  Optimizer adam(AdamOf("adam", 0));
  adam.Add("w", {2}, true);
  Tensor w(Shape{2});
  sgd.Step(0, Tensor({2}, {1, 2}), 0.1, nullptr, w);
  const auto state = sgd.State();
  EXPECT_EQ(MessageOf([&] { adam.SetState(state); }),
            "optimizer: the state has no \"w/steps\"; it is of another optimizer than adam or of "
            "another network");
  EXPECT_EQ(MessageOf([&] {
              sgd.SetState({{"w/momentum", Tensor(Shape{3})}});
            }),
            "optimizer: the state of \"w/momentum\" has shape [3], [2] expected");
  EXPECT_EQ(MessageOf([&] {
              sgd.SetState({{"w/momentum", Tensor(Shape{2})}, {"x/momentum", Tensor(Shape{2})}});
            }),
            "optimizer: the state has 2 tensors, 1 expected for sgd with 1 parameters");
  auto damaged = adam.State();
  damaged.at("w/steps")[0] = 1.5F;
  EXPECT_EQ(MessageOf([&] { adam.SetState(damaged); }),
            "optimizer: state \"w/steps\" is 1.5, expected a count; the state is damaged");
  EXPECT_TRUE(Same(sgd.State().at("w/momentum"), state.at("w/momentum")));  // as it was
}

TEST(Optimizer, SaysWhatDoesNotFit) {
  const auto message = [](const OptimizerOptions& options) {
    return MessageOf([&] { Optimizer optimizer(options); });
  };
  EXPECT_EQ(message(AdamOf("lion", 0)),
            "optimizer: unknown type \"lion\"; known: sgd, adam, adamw");
  EXPECT_EQ(message(Sgd(1, true, 0)), "optimizer: momentum 1, expected 0 … below 1");
  EXPECT_EQ(message(Sgd(0.9, true, -1)), "optimizer: weight_decay -1, expected 0 or more");
  OptimizerOptions options;
  options.beta1 = -0.1;
  EXPECT_EQ(message(options), "optimizer: beta1 -0.1, expected 0 … below 1");
  options = {};
  options.beta2 = std::nan("");
  EXPECT_EQ(message(options), "optimizer: beta2 nan, expected 0 … below 1");
  options = {};
  options.epsilon = 0;
  EXPECT_EQ(message(options), "optimizer: epsilon 0, expected above 0");

  Optimizer optimizer((OptimizerOptions()));
  optimizer.Add("w", {2}, true);
  EXPECT_EQ(MessageOf([&] { optimizer.Add("w", {3}, true); }),
            "optimizer: parameter \"w\" is added twice");
  Tensor w(Shape{2});
  Tensor other(Shape{1, 2});
  EXPECT_EQ(MessageOf([&] { optimizer.Step(0, other, 0.1, nullptr, w); }),
            "optimizer: the gradient of \"w\" has shape [1,2], [2] expected");
  EXPECT_EQ(MessageOf([&] { optimizer.Step(0, w, 0.1, nullptr, other); }),
            "optimizer: the value of \"w\" has shape [1,2], [2] expected");
  EXPECT_EQ(MessageOf([&] { optimizer.Step(0, w, 0.1, &other, w); }),
            "optimizer: the mask of \"w\" has shape [1,2], [2] expected");
}

}  // namespace
}  // namespace sparsify

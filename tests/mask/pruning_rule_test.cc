#include "sparsity/mask/pruning_rule.h"

#include <gtest/gtest.h>

#include <bit>
#include <functional>
#include <limits>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/base/random.h"

namespace sparsify {
namespace {

std::string MessageOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

Tensor Noise(const Shape& shape, uint64_t seed) {
  Random random(seed);
  Tensor tensor(shape);
  for (float& v : tensor.values()) v = static_cast<float>(random.Normal());
  return tensor;
}

Mask Noise(const Shape& shape, double sparsity, uint64_t seed) {
  Random random(seed);
  Mask mask(shape);
  for (int64_t i = 0; i < mask.size(); ++i) mask.Set(i, random.Uniform() >= sparsity);
  return mask;
}

uint32_t Bits(float value) { return std::bit_cast<uint32_t>(value); }

MaskContext Context() {
  MaskContext context;
  context.groups = 2;
  context.seed = 11;
  context.layer_index = 3;
  return context;
}

TEST(TrainedWeight, BeginsWhole) {
  const Tensor latent = Noise({3, 5}, 1);
  const TrainedWeight weight("w", latent, 0.25, Context());
  EXPECT_EQ(weight.mask(), Mask({3, 5}));
  EXPECT_EQ(weight.sparsity(), 0.25);
  for (int64_t i = 0; i < latent.size(); ++i) {
    EXPECT_EQ(weight.keep()[i], 1);
    EXPECT_EQ(weight.effective[i], latent[i]);
  }
}

TEST(TrainedWeight, ItsContextIsTheLayersUnderItsName) {
  const TrainedWeight weight("conv.weight", Noise({3, 5}, 1), 0.25, Context());
  const MaskContext context = weight.context();
  EXPECT_EQ(context.layer_name, "conv.weight");
  EXPECT_EQ(context.groups, 2);
  EXPECT_EQ(context.seed, 11U);
  EXPECT_EQ(context.layer_index, 3U);
}

// Sizes around whole bytes and around the chunks that threads take.
TEST(TrainedWeight, MaskIsWhatStandsBetweenLatentAndEffective) {
  for (const int threads : {1, 2}) {
    SetThreads(threads);
    for (const int64_t size : {1, 7, 8, 9, 16383, 16384, 16385, 40001}) {
      SCOPED_TRACE(size);
      TrainedWeight weight("w", Noise({size}, 1), 0.5, Context());
      const Tensor latent = weight.latent;
      const Mask mask = Noise({size}, 0.4, 2);
      weight.SetMask(mask);
      weight.ShowMasked();
      Tensor gradient = Noise({size}, 3);
      const Tensor whole = gradient;
      weight.MaskGradient(gradient);
      int64_t wrong = 0;
      for (int64_t i = 0; i < size; ++i) {
        wrong += weight.keep()[i] != (mask[i] ? 1.0F : 0.0F);
        wrong += Bits(weight.effective[i]) != (mask[i] ? Bits(latent[i]) : 0);
        wrong += Bits(gradient[i]) != (mask[i] ? Bits(whole[i]) : 0);
        wrong += Bits(weight.latent[i]) != Bits(latent[i]);
      }
      EXPECT_EQ(wrong, 0);
      EXPECT_EQ(weight.mask(), mask);
    }
  }
  SetThreads(0);
}

TEST(TrainedWeight, AMaskCanChangeAndBeLifted) {
  TrainedWeight weight("w", Noise({100}, 1), 0.5, Context());
  for (const uint64_t seed : {2, 3, 3, 4}) {
    const Mask mask = Noise({100}, 0.5, seed);
    weight.SetMask(mask);
    for (int64_t i = 0; i < 100; ++i) ASSERT_EQ(weight.keep()[i] != 0, mask[i]);
  }
  weight.SetMask(Mask({100}));
  weight.ShowMasked();
  for (int64_t i = 0; i < 100; ++i) EXPECT_EQ(weight.effective[i], weight.latent[i]);
}

TEST(TrainedWeight, WhatIsPrunedIsZeroWhateverIsBehindIt) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  TrainedWeight weight("w", Tensor({4}, {-1, inf, nan, 2}), 0.5, Context());
  weight.SetMask(Mask::FromBytes({4}, {0b1000}));
  weight.ShowMasked();
  Tensor gradient({4}, {nan, -3, -inf, 5});
  weight.MaskGradient(gradient);
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(Bits(weight.effective[i]), 0U);
    EXPECT_EQ(Bits(gradient[i]), 0U);
  }
  EXPECT_EQ(weight.effective[3], 2);
  EXPECT_EQ(gradient[3], 5);
}

TEST(TrainedWeight, OtherShapesAreRefused) {
  TrainedWeight weight("conv.weight", Noise({3, 5}, 1), 0.25, Context());
  EXPECT_EQ(MessageOf([&] { weight.SetMask(Mask({15})); }),
            "conv.weight: a mask of shape [15] for a weight of shape [3,5]");
  Tensor gradient({5, 3});
  EXPECT_EQ(MessageOf([&] { weight.MaskGradient(gradient); }),
            "conv.weight: a gradient of shape [5,3] for a weight of shape [3,5]");
}

class Stateless : public PruningRule {
 public:
  std::string_view type() const override { return "Stateless"; }
  void Begin(std::span<TrainedWeight> /*weights*/, int64_t /*steps*/) override {}
  Prepared Prepare(const StepInfo& /*info*/, std::span<TrainedWeight> /*weights*/) override {
    return {};
  }
  bool Backward(const StepInfo& /*info*/, std::span<TrainedWeight> /*weights*/,
                std::span<Tensor* const> /*gradients*/) override {
    return true;
  }
  bool HoldsPruned() const override { return false; }
  void Finish(std::span<TrainedWeight> /*weights*/) override {}
};

TEST(PruningRule, WithoutAStateTakesNone) {
  Stateless rule;
  EXPECT_TRUE(rule.State().empty());
  EXPECT_EQ(MessageOf([&] { rule.SetState({}); }), "no error");
  EXPECT_EQ(MessageOf([&] {
              rule.SetState({{"z", Tensor({1})}});
            }),
            "Stateless: the state to continue from holds \"z\", which this rule has no use for");
}

}  // namespace
}  // namespace sparsify

#include "sparsity/mask/fake_sparse.h"

#include <gmock/gmock.h>

#include <cmath>

#include "sparsity/mask/normal_mask_generator.h"
#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;

FakeSparse Make(const Tensor& weight, double sparsity, const FakeSparseOptions& options) {
  return FakeSparse(weight, std::make_shared<NormalMaskGenerator>(NormalMaskOptions{}), sparsity,
                    {.layer_name = std::string("temporary") + "name"}, options);
}

TEST(FakeSparse, ForwardAndBackwardMaskButTheLatentWeightStays) {
  FakeSparse fake = Make(Tensor({1, 4}, {1, -2, 3, -4}), 0.5, {});
  EXPECT_THAT(fake.Forward().values(), ElementsAre(0, 0, 3, -4));
  EXPECT_THAT(fake.latent().values(), ElementsAre(1, -2, 3, -4));
  Tensor gradient({1, 4}, {5, 6, 7, 8});
  fake.Backward(gradient);
  EXPECT_THAT(gradient.values(), ElementsAre(0, 0, 7, 8));
}

TEST(FakeSparse, APrunedWeightComesBackUnlessTheMaskIsStatic) {
  for (const bool is_static : {false, true}) {
    FakeSparse fake = Make(Tensor({1, 4}, {1, -2, 3, -4}), 0.5, {.mask_is_static = is_static});
    fake.Forward();
    fake.latent()[0] = 10;
    if (is_static) {
      EXPECT_THAT(fake.Forward().values(), ElementsAre(0, 0, 3, -4));
    } else {
      EXPECT_THAT(fake.Forward().values(), ElementsAre(10, 0, 0, -4));
    }
  }
}

TEST(FakeSparse, MomentumAndDecayCannotMoveAStaticallyPrunedWeight) {
  FakeSparse fake = Make(Tensor({1, 4}, {1, -2, 3, -4}), 0.5, {.mask_is_static = true});
  fake.Forward();
  Tensor update({1, 4}, {-0.1F, 0.2F, -0.3F, 0.4F});
  fake.MaskUpdate(update);
  EXPECT_THAT(update.values(), ElementsAre(0, 0, -0.3F, 0.4F));

  FakeSparse moving = Make(Tensor({1, 4}, {1, -2, 3, -4}), 0.5, {});
  moving.Forward();
  moving.MaskUpdate(update = Tensor({1, 4}, {1, 1, 1, 1}));
  EXPECT_THAT(update.values(), ElementsAre(1, 1, 1, 1));
}

TEST(FakeSparse, ANewSparsityTakesEffectEvenOnAStaticMask) {
  FakeSparse fake = Make(Tensor({1, 4}, {1, -2, 3, -4}), 0.5, {.mask_is_static = true});
  fake.Forward();
  fake.SetSparsity(0.25);
  EXPECT_EQ(fake.sparsity(), 0.25);
  EXPECT_THAT(fake.Forward().values(), ElementsAre(0, -2, 3, -4));
}

TEST(FakeSparse, BakingLeavesAsManyZerosAsTheMaskHas) {
  FakeSparse fake = Make(testing::RandomWeight({8, 4, 3, 3}, 1), 0.7, {});
  const Tensor shown = fake.Forward();
  fake.Bake();
  EXPECT_EQ(CountZeros(fake.latent()), fake.mask().CountPruned());
  EXPECT_TRUE(
      std::equal(shown.values().begin(), shown.values().end(), fake.latent().values().begin()));
}

TEST(FakeSparse, SurvivesTheNameItWasGiven) {
  FakeSparse fake = Make(Tensor({1, 4}, {1, NAN, 3, -4}), 0.5, {});
  EXPECT_THAT(testing::MessageOf([&] { fake.Forward(); }),
              ::testing::StartsWith("temporaryname: weight of shape [1,4] holds nan"));
}

TEST(FakeSparse, CorrectsTheWeightOnce) {
  FakeSparse fake = Make(testing::RandomWeight({4, 50}, 7), 0.5,
                         {.mask_is_static = true, .weight_correction = true});
  const Tensor first = fake.Forward();
  const Tensor second = fake.Forward();
  EXPECT_TRUE(std::equal(first.values().begin(), first.values().end(), second.values().begin()));
  EXPECT_NE(fake.latent()[0], testing::RandomWeight({4, 50}, 7)[0]);
}

struct Moments {
  double mean = 0;
  double deviation = 0;
};

Moments MomentsOf(const std::vector<double>& values) {
  Moments moments;
  for (const double v : values) moments.mean += v / static_cast<double>(values.size());
  for (const double v : values) {
    moments.deviation +=
        (v - moments.mean) * (v - moments.mean) / static_cast<double>(values.size());
  }
  moments.deviation = std::sqrt(moments.deviation);
  return moments;
}

TEST(CorrectKept, FollowsTheDefinitionPerChannel) {
  const Tensor dense = testing::RandomWeight({3, 40}, 12);
  const Mask mask = NormalMaskGenerator({}).Generate(dense, 0.6, {.layer_name = "layer"});
  Tensor corrected = dense;
  CorrectKept(mask, corrected);
  for (int64_t c = 0; c < 3; ++c) {
    std::vector<double> all;
    std::vector<double> sparse;
    std::vector<double> after;
    for (int64_t i = c * 40; i < (c + 1) * 40; ++i) {
      all.push_back(dense[i]);
      sparse.push_back(mask[i] ? dense[i] : 0);
      after.push_back(mask[i] ? corrected[i] : 0);
      if (!mask[i]) {
        EXPECT_EQ(corrected[i], dense[i]);
      }
    }
    EXPECT_NEAR(MomentsOf(after).mean, MomentsOf(all).mean, 1e-6);
    // A pair of kept weights shows the scale, which a shift does not change.
    const double scale = MomentsOf(all).deviation / MomentsOf(sparse).deviation;
    int64_t last = -1;
    for (int64_t i = c * 40; i < (c + 1) * 40; ++i) {
      if (!mask[i]) continue;
      if (last >= 0) {
        EXPECT_NEAR(corrected[i] - corrected[last], scale * (dense[i] - dense[last]), 1e-5);
      }
      last = i;
    }
  }
}

TEST(CorrectKept, DegenerateChannelsAreDefined) {
  Tensor weight({3, 2}, {1, 2, 3, 4, 5, 5});
  Mask mask({3, 2});
  mask.Set(0, false);
  mask.Set(1, false);  // channel 0 keeps nothing; channels 1 and 2 keep all
  CorrectKept(mask, weight);
  EXPECT_THAT(weight.values(), ElementsAre(1, 2, 3, 4, 5, 5));
  EXPECT_THAT(testing::MessageOf([&] { CorrectKept(Mask({6}), weight); }),
              ::testing::HasSubstr("does not fit"));
}

}  // namespace
}  // namespace sparsify

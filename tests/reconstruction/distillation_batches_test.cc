#include "reconstruction/distillation_batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "sparsity/base/parallel.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using testing::MessageOf;

const Shape kShape = {1, 8, 8};

TEST(DistillationBatches, HoldBackATenthEvenlySpread) {
  const RandomImages images(40, kShape);
  const DistillationBatches batches(images, {.batch = 4, .augment = true}, 1, 0);
  EXPECT_THAT(batches.held_back(), ElementsAre(0, 10, 20, 30));
  EXPECT_EQ(batches.training().size(), 36U);
  for (const int64_t i : batches.held_back()) {
    EXPECT_THAT(batches.training(), ::testing::Not(::testing::Contains(i)));
  }
  EXPECT_EQ(DistillationBatches(RandomImages(2, kShape), {.batch = 4, .augment = true}, 1, 0)
                .held_back()
                .size(),
            1U);
  EXPECT_EQ(DistillationBatches(RandomImages(1000, kShape), {.batch = 4, .augment = true}, 1, 0)
                .held_back()
                .size(),
            64U);
}

TEST(DistillationBatches, EveryPassTakesEachImageOnceInAnotherOrder) {
  const RandomImages images(40, kShape);
  const DistillationBatches batches(images, {.batch = 9, .augment = true}, 1, 5);
  std::vector<std::vector<int64_t>> passes(3);
  Batch batch;
  for (int64_t step = 0; step < 12; ++step) {
    batches.Load(step, batch);
    EXPECT_EQ(batch.images.shape(), Shape({9, 1, 8, 8}));
    auto& pass = passes[static_cast<size_t>(step / 4)];
    pass.insert(pass.end(), batch.indices.begin(), batch.indices.end());
  }
  EXPECT_NE(passes[0], passes[1]);
  for (auto& pass : passes) {
    std::sort(pass.begin(), pass.end());
    EXPECT_EQ(pass, batches.training());
  }
}

TEST(DistillationBatches, AStepDependsOnTheSeedAlone) {
  const RandomImages images(30, kShape);
  const DistillationBatches batches(images, {.batch = 8, .augment = true}, 1, 5);
  Batch forwards;
  Batch alone;
  for (int64_t step = 0; step < 6; ++step) batches.Load(step, forwards);
  SetThreads(1);
  DistillationBatches(images, {.batch = 8, .augment = true}, 1, 5).Load(5, alone);
  SetThreads(0);
  EXPECT_EQ(alone.indices, forwards.indices);
  EXPECT_THAT(alone.images.values(), ElementsAreArray(forwards.images.values()));
  DistillationBatches(images, {.batch = 8, .augment = true}, 1, 6).Load(5, alone);
  EXPECT_NE(alone.indices, forwards.indices);
}

TEST(DistillationBatches, ViewsAreRandomOnlyIfAugmented) {
  const RandomImages images(20, kShape);
  std::vector<float> plain(64);
  Batch batch;
  int changed = 0;
  for (const bool augment : {false, true}) {
    DistillationBatches(images, {.batch = 18, .augment = augment}, 1, 1).Load(0, batch);
    for (size_t row = 0; row < 18; ++row) {
      images.Load(batch.indices[row], plain.data());
      const float* loaded = batch.images.data() + static_cast<int64_t>(row) * 64;
      const bool same = std::equal(plain.begin(), plain.end(), loaded);
      EXPECT_TRUE(augment || same);
      if (augment && !same) ++changed;
    }
  }
  EXPECT_GE(changed, 12);  // one view of 18 shows the picture as it is
}

TEST(DistillationBatches, MixtureIsOfTwoImagesOfTheStep) {
  const RandomImages images(20, kShape);
  constexpr DistillationBatches::Options kPlain = {.batch = 5, .augment = false};
  DistillationBatches::Options mixed = kPlain;
  mixed.mixup = 0.4;
  Batch batch;
  Batch plain;
  DistillationBatches(images, mixed, 1, 1).Load(3, batch);
  DistillationBatches(images, kPlain, 1, 1).Load(3, plain);
  ASSERT_EQ(batch.indices, plain.indices);
  std::set<float> shares;
  for (int64_t n = 0; n < 5; ++n) {
    const float* own = plain.images.data() + n * 64;
    const float* other = plain.images.data() + (4 - n) * 64;
    const float* result = batch.images.data() + n * 64;
    if (n == 2) {  // the one in the middle has no other
      EXPECT_TRUE(std::equal(own, own + 64, result));
      continue;
    }
    const float share = (result[0] - own[0]) / (other[0] - own[0]);
    EXPECT_GE(share, 0);
    EXPECT_LT(share, 0.4);
    shares.insert(share);
    for (int64_t i = 0; i < 64; ++i) {
      EXPECT_NEAR(result[i], (1 - share) * own[i] + share * other[i], 2e-5);
    }
  }
  EXPECT_EQ(shares.size(), 4U);
}

TEST(DistillationBatches, ImagesHeldBackAreAsEvaluationSeesThem) {
  const RandomImages images(100, kShape);
  std::vector<float> plain(64);
  Batch batch;
  for (const bool augment : {false, true}) {
    const DistillationBatches batches(images, {.batch = 8, .augment = augment}, 1, 1);
    batches.LoadHeldBack(batch);
    EXPECT_EQ(batch.indices, batches.held_back());
    for (size_t row = 0; row < 10; ++row) {
      images.Load(batch.indices[row], plain.data());
      const float* loaded = batch.images.data() + static_cast<int64_t>(row) * 64;
      EXPECT_TRUE(std::equal(plain.begin(), plain.end(), loaded));
    }
  }
}

TEST(DistillationBatches, HeldBackAndTheOthersAreAllImages) {
  auto all = DistillationBatches::HeldBack(1000, 1);
  EXPECT_EQ(all.size(), 64U);
  const auto others = DistillationBatches::NotHeldBack(1000, 1);
  all.insert(all.end(), others.begin(), others.end());
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), 1000U);
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(all[static_cast<size_t>(i)], i);
}

TEST(DistillationBatches, RoundToTheNetworksBatch) {
  const RandomImages images(40, kShape);
  const DistillationBatches batches(images, {.batch = 10, .augment = false}, 8, 0);
  EXPECT_EQ(batches.batch(), 16);
  EXPECT_EQ(batches.held_back().size(), 8U);
}

TEST(DistillationBatches, NeedEnoughImages) {
  EXPECT_EQ(MessageOf([] {
              DistillationBatches(RandomImages(1, kShape), {.batch = 4, .augment = true}, 1, 0);
            }),
            "calibration: 1 images, polish needs at least 2: 1 to learn from, 1 to judge it");
  EXPECT_EQ(MessageOf([] {
              DistillationBatches(RandomImages(15, kShape), {.batch = 4, .augment = true}, 8, 0);
            }),
            "calibration: 15 images, polish needs at least 16: 8 to learn from, 8 to judge it");
}

}  // namespace
}  // namespace sparsify

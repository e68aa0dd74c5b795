#include "reconstruction/distillation_batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

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
  const DistillationBatches batches(images, 4, 1, true, 0);
  EXPECT_THAT(batches.held_back(), ElementsAre(0, 10, 20, 30));
  EXPECT_EQ(batches.training().size(), 36U);
  for (const int64_t i : batches.held_back()) {
    EXPECT_THAT(batches.training(), ::testing::Not(::testing::Contains(i)));
  }
  EXPECT_EQ(DistillationBatches(RandomImages(2, kShape), 4, 1, true, 0).held_back().size(), 1U);
  EXPECT_EQ(DistillationBatches(RandomImages(1000, kShape), 4, 1, true, 0).held_back().size(), 64U);
}

TEST(DistillationBatches, EveryPassTakesEachImageOnceInAnotherOrder) {
  const RandomImages images(40, kShape);
  const DistillationBatches batches(images, 9, 1, true, 5);
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
  const DistillationBatches batches(images, 8, 1, true, 5);
  Batch forwards;
  Batch alone;
  for (int64_t step = 0; step < 6; ++step) batches.Load(step, forwards);
  SetThreads(1);
  DistillationBatches(images, 8, 1, true, 5).Load(5, alone);
  SetThreads(0);
  EXPECT_EQ(alone.indices, forwards.indices);
  EXPECT_THAT(alone.images.values(), ElementsAreArray(forwards.images.values()));
  DistillationBatches(images, 8, 1, true, 6).Load(5, alone);
  EXPECT_NE(alone.indices, forwards.indices);
}

TEST(DistillationBatches, ViewsAreRandomOnlyIfAugmented) {
  const RandomImages images(20, kShape);
  std::vector<float> plain(64);
  Batch batch;
  int changed = 0;
  for (const bool augment : {false, true}) {
    DistillationBatches(images, 18, 1, augment, 1).Load(0, batch);
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

TEST(DistillationBatches, ImagesHeldBackAreAsEvaluationSeesThem) {
  const RandomImages images(100, kShape);
  std::vector<float> plain(64);
  Batch batch;
  for (const bool augment : {false, true}) {
    const DistillationBatches batches(images, 8, 1, augment, 1);
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
  const DistillationBatches batches(images, 10, 8, false, 0);
  EXPECT_EQ(batches.batch(), 16);
  EXPECT_EQ(batches.held_back().size(), 8U);
}

TEST(DistillationBatches, NeedEnoughImages) {
  EXPECT_EQ(MessageOf([] { DistillationBatches(RandomImages(1, kShape), 4, 1, true, 0); }),
            "calibration: 1 images, polish needs at least 2: 1 to learn from, 1 to judge it");
  EXPECT_EQ(MessageOf([] { DistillationBatches(RandomImages(15, kShape), 4, 8, true, 0); }),
            "calibration: 15 images, polish needs at least 16: 8 to learn from, 8 to judge it");
}

}  // namespace
}  // namespace sparsify

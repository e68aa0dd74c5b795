#include "sparsity/training/training_batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/parallel.h"
#include "tests/training/training_support.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::FormulaImages;
using testing::MessageOf;
using testing::Numbers;

Augmentation Plain() { return {.crop = false, .flip = false}; }

class TrainingBatchesTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { SetThreads(GetParam()); }
  void TearDown() override { SetThreads(0); }
};

TEST_P(TrainingBatchesTest, FollowsTheOrderAcrossPasses) {
  const FormulaImages data(10);
  TrainingBatches batches(data, 4, Plain(), 5, 0);
  EXPECT_EQ(batches.position(), 0);
  EXPECT_THAT(batches.Next().indices, ElementsAre(1, 6, 7, 4));
  EXPECT_THAT(batches.Next().indices, ElementsAre(8, 3, 2, 0));
  const Batch& third = batches.Next();
  EXPECT_THAT(third.indices, ElementsAre(9, 5, 6, 8));
  EXPECT_THAT(third.labels, ElementsAre(0, 2, 0, 2));
  EXPECT_EQ(batches.position(), 12);
  EXPECT_EQ(third.images.shape(), Shape({4, 2, 5, 5}));
  const Tensor expected = Numbers(105, {2, 5, 5}, 4);
  EXPECT_EQ(std::memcmp(third.images.data() + 50, expected.data(), 50 * sizeof(float)), 0);
}

TEST_P(TrainingBatchesTest, BeginsAnywhereWithTheSameViews) {
  const FormulaImages data(10, {1, 16, 16});
  const Augmentation views = {.min_area = 0.5};
  std::vector<Tensor> whole;
  TrainingBatches all(data, 3, views, 7, 0);
  for (int i = 0; i < 8; ++i) whole.push_back(all.Next().images);
  // Not a single image looks as it is, nor the same a pass later.
  EXPECT_FALSE(testing::SameBits(whole[0], whole[1]));
  TrainingBatches later(data, 3, views, 7, 12);
  for (size_t i = 4; i < 8; ++i) EXPECT_TRUE(testing::SameBits(later.Next().images, whole[i]));
  // Nor do views depend on the size of a batch.
  TrainingBatches large(data, 6, views, 7, 0);
  const Batch& both = large.Next();
  EXPECT_EQ(std::memcmp(both.images.data(), whole[0].data(), sizeof(float) * 3 * 256), 0);
  EXPECT_EQ(std::memcmp(both.images.data() + 3 * 256, whole[1].data(), sizeof(float) * 3 * 256), 0);
}

TEST_P(TrainingBatchesTest, RowsOfABatchAreThoseOfTheWhole) {
  const FormulaImages data(10, {1, 16, 16});
  const Augmentation views = {.min_area = 0.5};
  TrainingBatches whole(data, 5, views, 7, 10);
  TrainingBatches rows(data, 5, views, 7, 10, {2, 4});
  TrainingBatches none(data, 5, views, 7, 10, {3, 3});
  for (int i = 0; i < 4; ++i) {
    const Batch& all = whole.Next();
    const Batch& part = rows.Next();
    EXPECT_THAT(part.indices, ElementsAre(all.indices[2], all.indices[3]));
    EXPECT_EQ(part.labels.size(), 2U);
    EXPECT_EQ(std::memcmp(part.images.data(), all.images.data() + 2 * 256, sizeof(float) * 512), 0);
    EXPECT_TRUE(none.Next().labels.empty());
    EXPECT_EQ(rows.position(), whole.position());
    EXPECT_EQ(none.position(), whole.position());
  }
}

TEST_P(TrainingBatchesTest, LeavesOutBrokenImages) {
  FormulaImages data(10);
  data.broken = {6, 4, 8, 3, 2, 0};
  TrainingBatches batches(data, 4, Plain(), 5, 0);
  const Batch& first = batches.Next();
  EXPECT_THAT(first.indices, ElementsAre(1, 7));
  EXPECT_EQ(first.images.shape(), Shape({2, 2, 5, 5}));
  EXPECT_TRUE(batches.Next().labels.empty());
  EXPECT_THAT(batches.Next().indices, ElementsAre(9, 5));
}

TEST_P(TrainingBatchesTest, RethrowsWhatLoadingThrows) {
  class Failing : public FormulaImages {
   public:
    using FormulaImages::FormulaImages;
    int64_t Load(int64_t i, float* image) const override {
      if (i == 3) Fail(NameOf(i), "cannot be read");
      return FormulaImages::Load(i, image);
    }
  };
  const Failing data(10);
  TrainingBatches batches(data, 4, Plain(), 5, 0);
  batches.Next();
  EXPECT_EQ(MessageOf([&] { batches.Next(); }), "img3.png: cannot be read");
}

TEST_P(TrainingBatchesTest, AnEmptySetIsRefused) {
  const FormulaImages data(0);
  EXPECT_EQ(MessageOf([&] { TrainingBatches(data, 4, Plain(), 5, 0); }),
            "data.training: holds no images");
}

INSTANTIATE_TEST_SUITE_P(Threads, TrainingBatchesTest, ::testing::Values(1, 2));

}  // namespace
}  // namespace sparsify

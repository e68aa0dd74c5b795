#include "sparsity/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace sparsify {
namespace {

using ::testing::ElementsAre;

// Sample i is two floats (i, −i) of class 10 + i; samples in `broken` are skipped.
class PairDataset : public Dataset {
 public:
  int64_t size() const override { return 20; }
  Shape image_shape() const override { return {1, 1, 2}; }
  int64_t Load(int64_t i, float* image) const override {
    if (broken.contains(i)) throw SampleSkipped("broken");
    if (i == failing) Fail(NameOf(i), "cannot be read");
    image[0] = static_cast<float>(i);
    image[1] = -image[0];
    return 10 + i;
  }
  std::string NameOf(int64_t i) const override { return fmt::format("sample {}", i); }

  std::set<int64_t> broken;
  int64_t failing = -1;
};

TEST(LoadBatch, LoadsARange) {
  Batch batch;
  LoadBatch(PairDataset(), 3, 6, batch);
  EXPECT_EQ(batch.images.shape(), Shape({3, 1, 1, 2}));
  EXPECT_THAT(batch.images.values(), ElementsAre(3, -3, 4, -4, 5, -5));
  EXPECT_THAT(batch.labels, ElementsAre(13, 14, 15));
  EXPECT_THAT(batch.indices, ElementsAre(3, 4, 5));
}

TEST(LoadBatch, LoadsAListInItsOrder) {
  Batch batch;
  LoadBatch(PairDataset(), {19, 0, 19}, batch);
  EXPECT_THAT(batch.images.values(), ElementsAre(19, -19, 0, 0, 19, -19));
  EXPECT_THAT(batch.labels, ElementsAre(29, 10, 29));
}

TEST(LoadBatch, LeavesSkippedSamplesOut) {
  PairDataset dataset;
  dataset.broken = {0, 2, 3};
  Batch batch;
  LoadBatch(dataset, 0, 6, batch);
  EXPECT_EQ(batch.images.shape(), Shape({3, 1, 1, 2}));
  EXPECT_THAT(batch.images.values(), ElementsAre(1, -1, 4, -4, 5, -5));
  EXPECT_THAT(batch.labels, ElementsAre(11, 14, 15));
  EXPECT_THAT(batch.indices, ElementsAre(1, 4, 5));
  LoadBatch(dataset, 2, 4, batch);
  EXPECT_EQ(batch.images.shape(), Shape({0, 1, 1, 2}));
  EXPECT_TRUE(batch.labels.empty());
}

TEST(LoadBatch, OtherErrorsPassThrough) {
  PairDataset dataset;
  dataset.failing = 4;
  Batch batch;
  try {
    LoadBatch(dataset, 0, 6, batch);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "sample 4: cannot be read");
  }
  try {
    LoadBatch(dataset, 18, 21, batch);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "dataset: sample 20 asked for, 20 samples exist");
  }
}

}  // namespace
}  // namespace sparsify

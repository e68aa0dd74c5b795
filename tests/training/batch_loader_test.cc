#include "sparsity/training/batch_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;

class CountingDataset : public Dataset {
 public:
  explicit CountingDataset(int64_t size) : size_(size) {}
  int64_t size() const override { return size_; }
  Shape image_shape() const override { return {1, 1, 1}; }
  int64_t Load(int64_t i, float* image) const override {
    if (i == failing) Fail(NameOf(i), "cannot be read");
    const std::scoped_lock lock(mutex_);
    threads.insert(std::this_thread::get_id());
    image[0] = static_cast<float>(i);
    return i;
  }
  std::string NameOf(int64_t i) const override { return fmt::format("sample {}", i); }

  int64_t failing = -1;
  mutable std::set<std::thread::id> threads;

 private:
  int64_t size_;
  mutable std::mutex mutex_;
};

class BatchLoaderTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { SetThreads(GetParam()); }
  void TearDown() override { SetThreads(0); }
};

TEST_P(BatchLoaderTest, GivesEverySampleOnceInOrder) {
  const CountingDataset dataset(11);
  BatchLoader loader(dataset, 4);
  std::vector<int64_t> sizes;
  std::vector<int64_t> labels;
  while (const Batch* batch = loader.Next()) {
    sizes.push_back(batch->images.shape()[0]);
    labels.insert(labels.end(), batch->labels.begin(), batch->labels.end());
    EXPECT_EQ(loader.position(), std::ssize(labels));
  }
  EXPECT_THAT(sizes, ElementsAre(4, 4, 3));
  EXPECT_THAT(labels, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_EQ(loader.Next(), nullptr);
}

TEST_P(BatchLoaderTest, RethrowsWhereTheBatchIsAskedFor) {
  CountingDataset dataset(6);
  dataset.failing = 5;
  BatchLoader loader(dataset, 2);
  EXPECT_NE(loader.Next(), nullptr);
  EXPECT_NE(loader.Next(), nullptr);
  EXPECT_THROW(loader.Next(), Error);
}

TEST_P(BatchLoaderTest, MayBeLeftEarly) {
  const CountingDataset dataset(100);
  BatchLoader loader(dataset, 2);
  EXPECT_NE(loader.Next(), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Threads, BatchLoaderTest, ::testing::Values(1, 2));

TEST(BatchLoader, OneThreadStaysOne) {
  SetThreads(1);
  const CountingDataset dataset(9);
  BatchLoader loader(dataset, 2);
  while (loader.Next() != nullptr) {
  }
  SetThreads(0);
  EXPECT_THAT(dataset.threads, ElementsAre(std::this_thread::get_id()));
}

TEST(BatchLoader, AnEmptyDatasetHasNoBatch) {
  const CountingDataset dataset(0);
  EXPECT_EQ(BatchLoader(dataset, 2).Next(), nullptr);
}

}  // namespace
}  // namespace sparsify

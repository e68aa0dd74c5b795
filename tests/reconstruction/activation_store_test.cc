#include "reconstruction/activation_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::MessageOf;

TEST(ImageBlocks, HeldBackImagesHaveBlocksOfTheirOwnInFront) {
  const ImageBlocks blocks = ImageBlocks::Make(20, 5, 4);
  EXPECT_THAT(blocks.begins, ElementsAre(0, 4, 5, 9, 13, 17, 20));
  EXPECT_EQ(blocks.held_blocks, 2);
  EXPECT_EQ(blocks.held_images(), 5);
  EXPECT_EQ(blocks.count(), 6);
  EXPECT_EQ(blocks.size(5), 3);
  EXPECT_EQ(blocks.BlockOf(0), 0);
  EXPECT_EQ(blocks.BlockOf(4), 1);
  EXPECT_EQ(blocks.BlockOf(5), 2);
  EXPECT_EQ(blocks.BlockOf(19), 5);
  EXPECT_THAT(ImageBlocks::Make(3, 0, 64).begins, ElementsAre(0, 3));
}

TEST(MemoryBudget, RefusesWhatDoesNotFit) {
  MemoryBudget budget(100);
  EXPECT_TRUE(budget.Take(60));
  EXPECT_FALSE(budget.Take(41));
  EXPECT_TRUE(budget.Take(40));
  budget.Give(60);
  EXPECT_EQ(budget.used(), 40);
  budget.set_limit(30);
  EXPECT_FALSE(budget.Take(1));
}

// Rows of 2×3 numbers that say which image they belong to.
Tensor Rows(int64_t first, int64_t count) {
  Tensor rows({count, 2, 3});
  for (int64_t i = 0; i < rows.size(); ++i)
    rows[i] = static_cast<float>(10 * (first + i / 6) + i % 6);
  return rows;
}

constexpr int64_t kRowBytes = 2 * 3 * 4;

class Store : public ::testing::TestWithParam<int64_t> {  // bytes in memory
 protected:
  void Fill() {
    for (const auto& [first, count] :
         std::vector<std::pair<int64_t, int64_t>>{{0, 2}, {2, 2}, {4, 1}, {5, 4}, {9, 1}}) {
      store_.Write(first, Rows(first, count));
    }
  }

  const ImageBlocks blocks_ = ImageBlocks::Make(10, 5, 4);
  MemoryBudget budget_{GetParam()};
  ActivationStore store_{blocks_, Shape{2, 3}, budget_};
};

TEST_P(Store, GivesBackWhatWasWrittenWhereverItLives) {
  Fill();
  const int64_t fits = GetParam() >= 10 * kRowBytes ? 10 : GetParam() / kRowBytes / 5 * 5;
  EXPECT_EQ(budget_.used(), fits * kRowBytes);
  EXPECT_EQ(store_.bytes_on_disk(), (10 - fits) * kRowBytes);
  Tensor rows;
  store_.Read(6, 2, rows);
  EXPECT_THAT(rows.values(), ::testing::ElementsAreArray(Rows(6, 2).values()));
  EXPECT_EQ(rows.shape(), (Shape{2, 2, 3}));
  const std::vector<int64_t> images = {9, 0, 4, 5};
  store_.Gather(images, rows);
  for (size_t i = 0; i < images.size(); ++i) {
    EXPECT_EQ(rows[static_cast<int64_t>(i) * 6 + 5], static_cast<float>(10 * images[i] + 5));
  }
  Tensor buffer;
  const Tensor& block = store_.Block(2, buffer);
  EXPECT_THAT(block.values(), ::testing::ElementsAreArray(Rows(5, 4).values()));
  EXPECT_EQ(&block == &buffer, fits < 10);
}

TEST_P(Store, DroppedBlocksFreeTheirMemory) {
  Fill();
  const int64_t used = budget_.used();
  store_.Drop(0);
  EXPECT_EQ(budget_.used(), used == 0 ? 0 : used - 4 * kRowBytes);
  Tensor rows;
  EXPECT_EQ(MessageOf([&] { store_.Read(1, 2, rows); }),
            "kept activations: images 1 to 2 are not there");
  store_.Read(4, 1, rows);
  EXPECT_EQ(rows[0], 40.0F);
}

// All, the two blocks held back, nothing.
INSTANTIATE_TEST_SUITE_P(Budgets, Store, ::testing::Values(1000, 5 * kRowBytes, 0));

TEST(StoreMistakes, AreNamed) {
  const ImageBlocks blocks = ImageBlocks::Make(8, 0, 4);
  MemoryBudget budget(1000);
  ActivationStore store(blocks, Shape{2, 3}, budget);
  EXPECT_EQ(MessageOf([&] { store.Write(3, Rows(3, 2)); }),
            "kept activations: [2,2,3] cannot be written at image 3");
  EXPECT_EQ(MessageOf([&] { store.Write(8, Rows(8, 1)); }),
            "kept activations: [1,2,3] cannot be written at image 8");
  EXPECT_EQ(MessageOf([&] {
              store.Write(0, Tensor({1, 3, 2}));
            }),
            "kept activations: [1,3,2] cannot be written at image 0");
}

}  // namespace
}  // namespace sparsify

#include "sparsity/data/pixel_cache.h"

#include <gtest/gtest.h>

#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

std::unique_ptr<uint8_t[]> Filled(uint8_t value) {
  auto pixels = std::make_unique<uint8_t[]>(10);
  std::fill_n(pixels.get(), 10, value);
  return pixels;
}

TEST(PixelCache, KeepsWhatItWasGiven) {
  PixelCache cache(3, 10, 1000);
  EXPECT_EQ(cache.Find(1), nullptr);
  cache.Insert(1, Filled(7));
  ASSERT_NE(cache.Find(1), nullptr);
  EXPECT_EQ(cache.Find(1)[9], 7);
  cache.Insert(1, Filled(8));  // the first stays
  EXPECT_EQ(cache.Find(1)[9], 7);
  EXPECT_EQ(cache.Find(2), nullptr);
}

TEST(PixelCache, StopsAtItsLimit) {
  PixelCache cache(5, 10, 29);
  for (int64_t i = 4; i >= 0; --i) cache.Insert(i, Filled(static_cast<uint8_t>(i)));
  EXPECT_NE(cache.Find(4), nullptr);
  EXPECT_NE(cache.Find(3), nullptr);
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(cache.Find(i), nullptr);
}

TEST(PixelCache, WithoutMemoryKeepsNothing) {
  PixelCache cache(1, 10, 0);
  cache.Insert(0, Filled(1));
  EXPECT_EQ(cache.Find(0), nullptr);
}

TEST(PixelCache, HoldsExactlyItsLimitUnderContention) {
  PixelCache cache(100, 10, 500);
  ParallelFor(1000,
              [&](int64_t i) { cache.Insert(i % 100, Filled(static_cast<uint8_t>(i % 100))); });
  int kept = 0;
  for (int64_t i = 0; i < 100; ++i) {
    const uint8_t* pixels = cache.Find(i);
    if (pixels == nullptr) continue;
    ++kept;
    EXPECT_EQ(pixels[0], i);
  }
  EXPECT_EQ(kept, 50);
}

}  // namespace
}  // namespace sparsify

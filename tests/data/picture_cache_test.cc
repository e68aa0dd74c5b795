#include "sparsity/data/picture_cache.h"

#include <gtest/gtest.h>

#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

Image Filled(int64_t width, uint8_t value) {
  Image image(1, width, 1);
  std::fill(image.pixels.begin(), image.pixels.end(), value);
  return image;
}

TEST(PictureCache, KeepsTheFirst) {
  PictureCache cache(3, 100);
  EXPECT_EQ(cache.Find(1), nullptr);
  cache.Insert(1, Filled(10, 7));
  cache.Insert(1, Filled(20, 8));
  ASSERT_NE(cache.Find(1), nullptr);
  EXPECT_EQ(cache.Find(1)->width, 10);
  EXPECT_EQ(cache.Find(1)->pixels[9], 7);
  EXPECT_EQ(cache.Find(2), nullptr);
}

TEST(PictureCache, StopsAtItsLimitButTakesASmallerOne) {
  PictureCache cache(4, 30);
  cache.Insert(0, Filled(20, 1));
  cache.Insert(1, Filled(11, 1));
  cache.Insert(2, Filled(10, 1));
  cache.Insert(3, Filled(1, 1));
  EXPECT_NE(cache.Find(0), nullptr);
  EXPECT_EQ(cache.Find(1), nullptr);
  EXPECT_NE(cache.Find(2), nullptr);
  EXPECT_EQ(cache.Find(3), nullptr);
}

TEST(PictureCache, WhatWasFoundStaysWhileOthersCome) {
  PictureCache cache(200, 1 << 20);
  cache.Insert(0, Filled(5, 3));
  const Image* first = cache.Find(0);
  SetThreads(4);
  ParallelFor(400, [&](int64_t k) { cache.Insert(k / 2, Filled(5, static_cast<uint8_t>(k / 2))); });
  SetThreads(0);
  EXPECT_EQ(cache.Find(0), first);
  EXPECT_EQ(first->pixels[4], 3);
  for (int64_t i = 1; i < 200; ++i) {
    ASSERT_NE(cache.Find(i), nullptr);
    EXPECT_EQ(cache.Find(i)->pixels[0], static_cast<uint8_t>(i));
  }
}

}  // namespace
}  // namespace sparsify

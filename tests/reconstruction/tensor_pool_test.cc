#include "reconstruction/tensor_pool.h"

#include <gtest/gtest.h>

namespace sparsify {
namespace {

TEST(TensorPool, GivesMemoryOfTheSameSizeBackInAnyShape) {
  TensorPool pool;
  Tensor tensor = pool.Take({2, 8});
  const float* memory = tensor.data();
  pool.Give(std::move(tensor));
  EXPECT_EQ(pool.bytes(), 64);
  EXPECT_NE(pool.Take({15}).data(), memory);
  EXPECT_EQ(pool.bytes(), 64);
  const Tensor again = pool.Take({4, 4});
  EXPECT_EQ(again.data(), memory);
  EXPECT_EQ(again.shape(), (Shape{4, 4}));
  EXPECT_EQ(pool.bytes(), 0);
}

TEST(TensorPool, FreesWhatWasGivenLongestAgo) {
  TensorPool pool(100);
  Tensor first = pool.Take({10});
  Tensor second = pool.Take({15});
  const float* memory = second.data();
  pool.Give(std::move(first));
  pool.Give(Tensor());
  pool.Give(std::move(second));
  EXPECT_EQ(pool.bytes(), 100);
  pool.Give(Tensor(Shape{2}));
  EXPECT_EQ(pool.bytes(), 68);
  EXPECT_EQ(pool.Take({15}).data(), memory);
  pool.Give(Tensor(Shape{26}));  // larger than all that it may hold
  EXPECT_EQ(pool.bytes(), 0);
}

}  // namespace
}  // namespace sparsify

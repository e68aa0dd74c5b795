// Run by mpirun with several ranks; every rank runs every test.
#include "sparsity/base/mpi_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <thread>
#include <vector>

namespace sparsify {
namespace {

Communicator* ranks = nullptr;

// Of a rank, of all magnitudes: their sum depends on the order.
template <class T>
T Value(int rank, size_t i) {
  return static_cast<T>(std::sin(static_cast<double>(1 + i * 31 + static_cast<size_t>(rank) * 7)) *
                        std::pow(10.0, (static_cast<int>(i) + 3 * rank) % 7));
}

template <class T>
void CheckSum(size_t count) {
  std::vector<T> values;
  for (size_t i = 0; i < count; ++i) values.push_back(Value<T>(ranks->Rank(), i));
  ranks->AllReduceSum(values);
  int64_t wrong = 0;
  for (size_t i = 0; i < count; ++i) {
    T sum = Value<T>(0, i);
    for (int rank = 1; rank < ranks->Size(); ++rank) sum += Value<T>(rank, i);
    wrong += sum != values[i];
  }
  EXPECT_EQ(wrong, 0) << "of " << count;
}

TEST(MpiSession, HasSeveralRanks) {
  EXPECT_TRUE(MpiSession::IsBuilt());
  ASSERT_GT(ranks->Size(), 1);
}

TEST(MpiSession, SumsAreAddedInTheOrderOfTheRanks) {
  for (const size_t count :
       {size_t{0}, size_t{1}, size_t{1000}, size_t{8192}, size_t{8193}, size_t{100003}}) {
    CheckSum<float>(count);
    CheckSum<double>(count);
  }
}

TEST(MpiSession, WhatTheRanksTellEachOther) {
  const auto rank = static_cast<uint64_t>(ranks->Rank());
  const auto size = static_cast<uint64_t>(ranks->Size());
  EXPECT_EQ(ranks->Sum(ranks->Rank()), std::ssize(std::vector<int>(size * (size - 1) / 2)));
  EXPECT_TRUE(ranks->AnyOf(rank == size - 1));
  EXPECT_FALSE(ranks->AnyOf(false));
  EXPECT_EQ(ranks->FromFirst(std::string(rank == 0 ? 100000 : 3, rank == 0 ? 'a' : 'b')),
            std::string(100000, 'a'));
  const std::vector<uint64_t> all = ranks->Gather((uint64_t{7} << 60) + rank);
  ASSERT_EQ(all.size(), size);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], (uint64_t{7} << 60) + i);
}

TEST(MpiSession, TheOthersWaitForTheFirst) {
  using Clock = std::chrono::steady_clock;
  ranks->Meet();
  const auto start = Clock::now();
  ranks->FirstAlone([] { std::this_thread::sleep_for(std::chrono::milliseconds(200)); });
  EXPECT_GT(Clock::now() - start, std::chrono::milliseconds(100));
}

}  // namespace
}  // namespace sparsify

int main(int argc, char** argv) {
  sparsify::MpiSession session;
  sparsify::ranks = &session.ranks();
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

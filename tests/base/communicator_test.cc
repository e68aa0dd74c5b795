#include "sparsity/base/communicator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "sparsity/base/error.h"
#include "tests/support/thread_ranks.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::RunRanks;

TEST(Communicator, AloneNothingHappens) {
  Communicator alone;
  EXPECT_EQ(alone.Rank(), 0);
  EXPECT_EQ(alone.Size(), 1);
  EXPECT_TRUE(alone.IsFirst());
  std::array<double, 2> values = {0.1, -3};
  alone.AllReduceSum(values);
  EXPECT_EQ(values, (std::array<double, 2>{0.1, -3}));
  EXPECT_EQ(alone.Sum(7), 7);
  EXPECT_EQ(alone.FromFirst("text"), "text");
  EXPECT_TRUE(alone.FirstDecides(true));
  EXPECT_FALSE(alone.AnyOf(false));
  EXPECT_THAT(alone.Gather(~uint64_t{0}), ElementsAre(~uint64_t{0}));
  int calls = 0;
  alone.FirstAlone([&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(Communicator, WhatTheRanksTellEachOther) {
  std::atomic<int> alone = 0;
  RunRanks(3, [&](Communicator& ranks) {
    const auto rank = static_cast<uint64_t>(ranks.Rank());
    EXPECT_EQ(ranks.IsFirst(), rank == 0);
    EXPECT_EQ(ranks.Sum(int64_t{1} << (10 * rank)), 1 + 1024 + 1048576);
    EXPECT_TRUE(ranks.AnyOf(rank == 2));
    EXPECT_FALSE(ranks.AnyOf(false));
    EXPECT_EQ(ranks.FromFirst(rank == 0 ? "the first's" : "another, longer than that"),
              "the first's");
    EXPECT_EQ(ranks.FromFirst(rank == 0 ? "" : "x"), "");
    EXPECT_TRUE(ranks.FirstDecides(rank == 0));
    EXPECT_THAT(ranks.Gather(0xfedcba9876543210 + rank),
                ElementsAre(0xfedcba9876543210, 0xfedcba9876543211, 0xfedcba9876543212));
    ranks.FirstAlone([&] {
      EXPECT_EQ(rank, 0U);
      ++alone;
    });
    EXPECT_EQ(alone, 1) << "the others wait";
  });
}

TEST(Communicator, AnErrorOfTheFirstAloneIsEveryRanks) {
  std::atomic<int> failed = 0;
  RunRanks(3, [&](Communicator& ranks) {
    try {
      ranks.FirstAlone([] { FailUsage("f.yaml", "is wrong"); });
    } catch (const Error& error) {
      failed +=
          error.kind() == ErrorKind::kUsage && std::string(error.what()) == "f.yaml: is wrong";
    }
  });
  EXPECT_EQ(failed, 3);
}

TEST(Communicator, ARankIsAmongTheRanks) {
  class Odd : public Communicator {
   public:
    Odd() : Communicator(2, 2) {}
  };
  EXPECT_THROW(Odd(), Error);
}

}  // namespace
}  // namespace sparsify

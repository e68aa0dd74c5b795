#include "sparsity/executor/thread_team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stdexcept>

namespace sparsify {
namespace {

TEST(ThreadTeam, EveryMemberRunsOnceARoundOnItsOwnThread) {
  ThreadTeam team(3);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> members = 0;
    team.Run([&](int member) {
      members += 1 << (4 * member);
      const std::scoped_lock lock(mutex);
      threads.insert(std::this_thread::get_id());
    });
    ASSERT_EQ(members, 0x111);
  }
  EXPECT_EQ(threads.size(), 3U);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST(ThreadTeam, MembersRunAtTheSameTime) {
  // Each waits for the other: one after the other this would not end.
  ThreadTeam team(2);
  std::atomic<int> arrived = 0;
  team.Run([&](int) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 2);
}

TEST(ThreadTeam, TheTimeIsThatOfTheSlowest) {
  ThreadTeam team(2);
  const double seconds = team.Run([](int member) {
    std::this_thread::sleep_for(std::chrono::milliseconds(member == 0 ? 1 : 30));
  });
  EXPECT_GE(seconds, 0.03);
  EXPECT_LT(seconds, 10);
}

TEST(ThreadTeam, ATeamOfOneIsTheCaller) {
  ThreadTeam team(1);
  std::thread::id id;
  team.Run([&](int member) {
    EXPECT_EQ(member, 0);
    id = std::this_thread::get_id();
  });
  EXPECT_EQ(id, std::this_thread::get_id());
}

TEST(ThreadTeam, AnExceptionReachesTheCallerAndTheTeamGoesOn) {
  for (const int members : {1, 2}) {
    ThreadTeam team(members);
    EXPECT_THROW(team.Run([](int) { throw std::runtime_error("broken"); }), std::runtime_error);
    std::atomic<int> ran = 0;
    team.Run([&](int) { ++ran; });
    EXPECT_EQ(ran, members);
  }
}

}  // namespace
}  // namespace sparsify

#include "sparsity/cli/rank_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "sparsity/base/file.h"
#include "sparsity/base/parallel.h"
#include "tests/cli/cli_test_support.h"
#include "tests/support/thread_ranks.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::RunRanks;

TEST(RankExchange, TargetsComeBitByBit) {
  const std::vector<std::vector<LayerTarget>> sent = {
      {{1.0 / 3, ""}, {0, "depthwise (dw_no_prune)"}, {0.1 + 0.2, ""}}, {}, {{0.5, " a  b "}}};
  RunRanks(3, [&](Communicator& ranks) {
    std::vector<std::vector<LayerTarget>> targets = {{{0.7, "own"}}};
    if (ranks.IsFirst()) targets = sent;
    ShareTargets(ranks, targets);
    ASSERT_EQ(targets.size(), sent.size());
    for (size_t i = 0; i < sent.size(); ++i) {
      ASSERT_EQ(targets[i].size(), sent[i].size());
      for (size_t k = 0; k < sent[i].size(); ++k) {
        EXPECT_EQ(targets[i][k].sparsity, sent[i][k].sparsity);
        EXPECT_EQ(targets[i][k].skipped, sent[i][k].skipped);
      }
    }
  });
}

TEST(RankExchange, TheDenseResultComes) {
  RunRanks(2, [](Communicator& ranks) {
    DenseResult dense;
    if (ranks.IsFirst()) dense = {94.25, {7, 0, 3}};
    ShareDense(ranks, dense);
    EXPECT_EQ(dense.top1, 94.25);
    EXPECT_THAT(dense.predictions, ElementsAre(7, 0, 3));
  });
}

TEST(RankExchange, RanksOnTheSameProcessorsDivideThem) {
  const int processors = Threads();
  Communicator alone;
  EXPECT_EQ(ThreadsOfRank(alone, 0), 0);
  EXPECT_EQ(ThreadsOfRank(alone, 3), 3);
  RunRanks(64, [&](Communicator& ranks) {
    EXPECT_EQ(ThreadsOfRank(ranks, 5), 5) << "as wanted";
    const int threads = ThreadsOfRank(ranks, 0);
    EXPECT_EQ(threads, std::max(1, processors / 64));
  });
}

TEST(RankExchange, OthersAwaitWhatTheFirstSees) {
  const TestFolder folder;
  const std::string path = folder.Path("file");
  const auto see = [&](std::vector<char>& seen) {
    RunRanks(2, [&](Communicator& ranks) {
      PreparedRun run;
      run.ranks = &ranks;
      seen[static_cast<size_t>(ranks.Rank())] = FirstSees(run, path);
    });
  };
  std::vector<char> seen(2, 1);
  see(seen);
  EXPECT_THAT(seen, ElementsAre(0, 0));
  WriteFileAtomically(path, "x");
  see(seen);
  EXPECT_THAT(seen, ElementsAre(1, 1));
  // A file that comes late.
  const std::string late = folder.Path("late");
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    WriteFileAtomically(late, "x");
  });
  AwaitFile(late);
  EXPECT_TRUE(std::filesystem::exists(late));
  writer.join();
}

}  // namespace
}  // namespace sparsify

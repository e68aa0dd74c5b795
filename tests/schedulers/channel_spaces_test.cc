// Spaces of small networks: every free channel is moved at random, and nothing may change.
#include "schedulers/channel_spaces.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "schedulers/channel_moves.h"
#include "tests/schedulers/channel_support.h"

namespace sparsify {
namespace {

using testing::ChannelNet;
using testing::GraphBuilder;

TEST(ChannelSpaceSet, UnitesAndKeepsTheReasonAndTheSmallerBlock) {
  ChannelSpaceSet set;
  const auto a = set.Start(24);
  const auto b = set.Start(24);
  set.Restrict(b, 8, "blocks");
  set.Unite(a, b, "joined");
  const auto c = set.Start(24);
  set.Fix(c, "held");
  set.Fix(c, "held again");
  std::vector<ChannelSpace> spaces = set.Take();
  ASSERT_EQ(spaces.size(), 2U);
  EXPECT_EQ(spaces[0].block, 8);
  EXPECT_EQ(spaces[0].fixed, "");
  EXPECT_EQ(spaces[1].block, 24);
  EXPECT_EQ(spaces[1].fixed, "held");
}

TEST(ChannelSpaceSet, FixesWhatCannotBeOne) {
  ChannelSpaceSet set;
  const auto pair = set.Start(24);
  const auto other = set.Start(16);
  set.Unite(pair, other, "cut differently");
  const auto six = set.Start(24);
  const auto eight = set.Start(24);
  set.Restrict(six, 6, "six");
  set.Restrict(eight, 8, "eight");
  set.Unite(six, eight, "blocks differ");
  const auto odd = set.Start(10);
  set.Restrict(odd, 4, "borders");
  std::vector<std::string> reasons;
  for (const ChannelSpace& space : set.Take()) reasons.push_back(space.fixed);
  EXPECT_EQ(reasons, (std::vector<std::string>{"cut differently", "cut differently",
                                               "blocks differ", "borders"}));
}

class MovedNet : public ::testing::TestWithParam<ChannelNet> {};

TEST_P(MovedNet, ComputesTheSameWithEveryFreeChannelMoved) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const Graph graph = GetParam().make(seed);
    Graph moved = graph;
    const auto moves = testing::RandomMoves(graph, seed);
    EXPECT_GE(moves.size(), GetParam().free_spaces);
    MoveChannels(moves, moved);
    EXPECT_GT(testing::ChangedParameters(graph, moved), 0);
    EXPECT_LT(testing::OutputChange(graph, moved, seed), 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Nets, MovedNet, ::testing::ValuesIn(testing::ChannelNets()),
                         [](const auto& param) { return param.param.name; });

TEST(MoveChannels, CopiesASharedParameterForTheNodeThatNeedsAnotherOrder) {
  GraphBuilder b("shared", 1);
  const ValueId x = b.Input({3, 6, 6});
  const ValueId bias = b.Parameter("bias", testing::Ramp(8));
  const auto conv = [&](const std::string& name, ValueId in, int64_t channels) {
    return b.Op(OpType::kConv, name,
                {in, b.Parameter(name + ".weight", testing::Waves({8, channels, 1, 1})), bias},
                {{"kernel_shape", std::vector<int64_t>{1, 1}}});
  };
  const ValueId first = conv("first", x, 3);
  const ValueId second = conv("second", b.Relu("relu", first), 8);
  const ValueId third = conv("third", b.Relu("relu2", second), 8);
  const Graph graph = b.Finish({third});
  Graph moved = graph;
  const auto copies = MoveChannels(testing::RandomMoves(graph, 2), moved);
  // The last node's order is the network's output: it keeps the values, and so needs a copy.
  EXPECT_EQ(copies, (std::vector<std::string>{"bias.2", "bias.3"}));
  EXPECT_LT(testing::OutputChange(graph, moved, 3), 1e-5);
}

TEST(MoveChannels, KeepsASharedParameterOfEqualValuesAsOne) {
  GraphBuilder b("shared", 1);
  const ValueId x = b.Conv("conv", b.Input({3, 6, 6}), 3, 8, 3);
  Tensor ones({8});
  ones.Fill(1);
  const ValueId one = b.Parameter("one", ones);
  const ValueId first =
      b.Op(OpType::kBatchNormalization, "bn1", {x, one, one, one, one}, {{"epsilon", 1e-5}});
  const ValueId last = b.Conv("last", first, 8, 4, 1);
  const Graph graph = b.Finish({last});
  Graph moved = graph;
  EXPECT_TRUE(MoveChannels(testing::RandomMoves(graph, 2), moved).empty());
  EXPECT_LT(testing::OutputChange(graph, moved, 3), 1e-5);
}

}  // namespace
}  // namespace sparsify

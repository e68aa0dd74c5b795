#include "schedulers/channel_permutation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "schedulers/ampere_scheduler.h"
#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/nm_mask_generator.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/schedulers/channel_support.h"
#include "tests/support/compare.h"

namespace sparsify {
namespace {

using testing::AttributeList;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using testing::MessageOf;
using Ints = std::vector<int64_t>;

// Nothing but depthwise layers stays dense.
PermutationReport Permute(Graph& graph, int64_t n = 2, const StripeSearchOptions& search = {}) {
  const auto shapes = InferShapes(graph, 1);
  const auto layers = FindLayers(graph, shapes);
  std::vector<std::string> skipped;
  for (const Layer& layer : layers) skipped.emplace_back(layer.is_depthwise ? "depthwise" : "");
  return PermuteChannels(graph, shapes, layers, skipped, n, 4, search, "permutation");
}

// Of the one group that `layer` reads.
const ChannelGroup& GroupOf(const PermutationReport& report, const std::string& layer) {
  for (const ChannelGroup& group : report.groups) {
    for (const std::string& name : group.consumers) {
      if (name == layer) return group;
    }
  }
  throw std::runtime_error("no group is read by " + layer);
}

double KeptByGenerator(const Graph& graph, const std::string& layer, int64_t n) {
  const Tensor& weight = graph.value(graph.FindValue(layer + ".weight")).data;
  const Mask mask = NMMaskGenerator({.n = n, .m = 4}).Generate(weight, 0.5, {});
  double sum = 0;
  for (int64_t i = 0; i < weight.size(); ++i) sum += mask[i] ? std::abs(weight[i]) : 0.0;
  return sum;
}

class PermutedNet : public ::testing::TestWithParam<testing::ChannelNet> {};

TEST_P(PermutedNet, ComputesTheSameAndKeepsMore) {
  for (int64_t n = 1; n <= 3; ++n) {
    const Graph graph = GetParam().make(5);
    Graph permuted = graph;
    const PermutationReport report = Permute(permuted, n, {.escapes = 5, .seed = 3});
    EXPECT_LT(testing::OutputChange(graph, permuted, 6), 1e-5);
    EXPECT_GT(report.total.Efficacy(), 0);
    EXPECT_LE(report.total.Efficacy(), 1);
    for (const ChannelGroup& group : report.groups) {
      EXPECT_GE(group.gain.Efficacy(), 0);
      EXPECT_LE(group.gain.Efficacy(), 1);
      EXPECT_EQ(group.swaps > 0, group.gain.permuted > group.gain.plain);
    }
    for (const PermutedLayer& layer : report.layers) {
      if (layer.gain.best == 0) continue;
      EXPECT_NEAR(layer.gain.plain, KeptByGenerator(graph, layer.layer, n), 1e-3);
      EXPECT_NEAR(layer.gain.permuted, KeptByGenerator(permuted, layer.layer, n), 1e-3);
      EXPECT_LE(layer.gain.permuted, layer.gain.best * (1 + 1e-9));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Nets, PermutedNet, ::testing::ValuesIn(testing::ChannelNets()),
                         [](const auto& param) { return param.param.name; });

TEST(PermuteChannels, SharesOnePermutationAmongAllThatReadATensor) {
  Graph graph = testing::SmallResidualNet();
  const PermutationReport report = Permute(graph);
  const ChannelGroup& stem = GroupOf(report, "block.conv1");
  EXPECT_THAT(stem.consumers, ElementsAre("block.conv1", "block.down"));
  EXPECT_THAT(stem.producers, ElementsAre("stem"));
  EXPECT_EQ(stem.channels, 16);
  EXPECT_EQ(stem.skipped, "");
  const ChannelGroup& sum = GroupOf(report, "fc");
  EXPECT_THAT(sum.producers, ElementsAre("block.conv2", "block.down"));
  EXPECT_EQ(GroupOf(report, "stem").skipped, "\"input\" is an input of the network");
}

// The same by hand: 16 channels, of which two bear all the weight of each row.
TEST(PermuteChannels, GainsWhatTheReportSays) {
  GraphBuilder b("net", 1);
  const ValueId hidden = b.Linear("first", b.Input({4}), 4, 16);
  Tensor weight({1, 16});
  for (int64_t i = 0; i < 16; ++i) weight[i] = i < 4 ? 1.0F : i < 8 ? 0.5F : 0;
  const ValueId w = b.Parameter("last.weight", weight);
  Graph graph = b.Finish({b.Op(OpType::kGemm, "last", {hidden, w}, {{"transB", int64_t{1}}})});
  const Graph before = graph;
  const PermutationReport report = Permute(graph);
  const PermutationGain& gain = GroupOf(report, "last").gain;
  EXPECT_DOUBLE_EQ(gain.plain, 2 + 1);
  EXPECT_DOUBLE_EQ(gain.permuted, 6);
  EXPECT_DOUBLE_EQ(gain.best, 6);
  EXPECT_EQ(gain.Efficacy(), 1);
  EXPECT_EQ(PermutationGain{}.Efficacy(), 0);
  EXPECT_LT(testing::OutputChange(before, graph, 2), 1e-5);
}

TEST(PermuteChannels, MovesOnlyWhatKeepsMore) {
  GraphBuilder b("net", 1);
  const ValueId hidden = b.Linear("first", b.Input({4}), 4, 16);
  Tensor ones({8, 16});
  ones.Fill(1);
  const ValueId w = b.Parameter("last.weight", ones);
  Graph graph = b.Finish({b.Op(OpType::kGemm, "last", {hidden, w}, {{"transB", int64_t{1}}})});
  const Graph before = graph;
  const PermutationReport report = Permute(graph);
  EXPECT_EQ(testing::ChangedParameters(before, graph), 0);
  EXPECT_EQ(GroupOf(report, "last").gain.permuted, GroupOf(report, "last").gain.plain);
}

TEST(PermuteChannels, IsTheSameForASeedOnAnyNumberOfThreads) {
  Graph one = testing::SmallMobileNet();
  Graph four = one;
  SetThreads(1);
  Permute(one, 2, {.seed = 9});
  SetThreads(4);
  Permute(four, 2, {.seed = 9});
  SetThreads(0);
  EXPECT_EQ(testing::ChangedParameters(one, four), 0);
}

// A convolution, then `between` on its 16 channels, then a pruned convolution "last".
using Between = std::function<ValueId(GraphBuilder&, ValueId)>;
std::string Reason(const Between& between, int64_t channels = 16, int64_t last_in = 16) {
  GraphBuilder b("net", 1);
  const ValueId x = b.Conv("stem", b.Input({3, 6, 6}), 3, channels, 3);
  Graph graph = b.Finish({b.Conv("last", between(b, x), last_in, 8, 1)});
  const Graph before = graph;
  const PermutationReport report = Permute(graph);
  const ValueId weight = graph.FindValue("last.weight");
  EXPECT_TRUE(testing::Same(graph.value(weight).data, before.value(weight).data));
  EXPECT_LT(testing::OutputChange(before, graph, 2), 1e-5);
  EXPECT_EQ(report.layers.back().skipped, GroupOf(report, "last").skipped);
  return GroupOf(report, "last").skipped;
}

Between Single(OpType type, const AttributeList& attributes) {
  return [=](GraphBuilder& b, ValueId x) { return b.Op(type, "op", {x}, attributes); };
}

TEST(PermuteChannels, RefusesWhatRearrangesChannelsWithTheReason) {
  EXPECT_EQ(Reason(Single(OpType::kLRN, {{"size", int64_t{3}}})), "LRN \"op\" mixes channels");
  EXPECT_EQ(
      Reason(Single(OpType::kSlice, {{"starts", Ints{0}}, {"ends", Ints{8}}, {"axes", Ints{1}}}),
             16, 8),
      "Slice \"op\" slices channels");
  EXPECT_EQ(Reason(Single(OpType::kSplit, {{"axis", int64_t{1}}})), "Split \"op\" splits channels");
  EXPECT_EQ(Reason(Single(OpType::kPad, {{"pads", Ints{0, 1, 0, 0, 0, -1, 0, 0}}})),
            "Pad \"op\" pads channels");
  EXPECT_EQ(Reason(Single(OpType::kTranspose, {{"perm", Ints{0, 2, 1, 3}}}), 16, 6),
            "Transpose \"op\" transposes channels");
  EXPECT_EQ(Reason(Single(OpType::kReshape, {{"shape", Ints{0, 8, 12, 6}}}), 16, 8),
            "Reshape \"op\" rearranges channels");
  EXPECT_EQ(Reason(Single(OpType::kResize, {{"scales", std::vector<double>{1, 2, 1, 1}}}), 8),
            "Resize \"op\" resizes channels");
  EXPECT_EQ(Reason(Single(OpType::kReduceMean, {{"axes", Ints{1}}}), 16, 1),
            "ReduceMean \"op\" averages over channels");
}

TEST(PermuteChannels, RefusesWhatItCannotKeepTogether) {
  const auto concat = [](const std::vector<int64_t>& parts) {
    return [parts](GraphBuilder& b, ValueId x) {
      std::vector<ValueId> values;
      for (size_t i = 0; i < parts.size(); ++i) {
        values.push_back(b.Conv(fmt::format("part{}", i), x, 16, parts[i], 1));
      }
      return b.Op(OpType::kConcat, "op", values, {{"axis", int64_t{1}}});
    };
  };
  EXPECT_EQ(Reason(concat({6, 10})), "6 channels, no multiple of 4");
  EXPECT_EQ(Reason([&](GraphBuilder& b, ValueId x) {
              const ValueId both = concat({4, 12})(b, x);
              return b.Op(OpType::kAdd, "add", {both, b.Conv("conv", x, 16, 16, 1)});
            }),
            "Add \"add\" joins channels that are cut differently");
  EXPECT_EQ(Reason([](GraphBuilder& b, ValueId x) { return b.Conv("dw", x, 8, 16, 3, 1, 8); }, 8),
            "Conv \"dw\" makes several channels of each");
  EXPECT_EQ(
      Reason([](GraphBuilder& b, ValueId x) { return b.Conv("six", x, 8, 12, 1, 1, 2); }, 8, 12),
      "convolution groups of 6 channels, no multiple of 4");
  EXPECT_EQ(
      Reason([](GraphBuilder& b, ValueId x) { return b.Conv("four", x, 8, 8, 1, 1, 2); }, 8, 8),
      "there are no other channels to exchange them with");
  EXPECT_EQ(Reason(
                [](GraphBuilder& b, ValueId x) {
                  return b.Op(OpType::kMul, "op", {b.Op(OpType::kIdentity, "id", {x}), x});
                },
                18, 18),
            "18 channels, no multiple of 4");
}

TEST(PermuteChannels, RefusesSharedWeightsOutputsAndDenseReaders) {
  GraphBuilder b("net", 1);
  const ValueId weight = b.Parameter("shared.weight", testing::Waves({16, 16, 1, 1}));
  const AttributeList kernel = {{"kernel_shape", Ints{1, 1}}};
  const ValueId stem = b.Conv("stem", b.Input({3, 6, 6}), 3, 16, 3);
  const ValueId one = b.Op(OpType::kConv, "one", {stem, weight}, kernel);
  const ValueId two = b.Op(OpType::kConv, "two", {one, weight}, kernel);
  const ValueId mid = b.Conv("mid", two, 16, 16, 1);
  const ValueId dense = b.Conv("dense", b.Conv("last", mid, 16, 16, 1), 16, 8, 1);
  Graph graph = b.Finish({dense, mid});
  const Graph before = graph;
  const auto shapes = InferShapes(graph, 1);
  const auto layers = FindLayers(graph, shapes);
  std::vector<std::string> skipped(layers.size());
  skipped[static_cast<size_t>(FindLayer(layers, "dense"))] = "it was asked for";
  const auto report = PermuteChannels(graph, shapes, layers, skipped, 2, 4, {}, "permutation");
  EXPECT_EQ(GroupOf(report, "mid").skipped, "Conv \"two\" shares its weight with another node");
  EXPECT_EQ(GroupOf(report, "last").skipped, "\"mid.out\" is an output of the network");
  EXPECT_EQ(GroupOf(report, "dense").skipped, "\"dense\" stays dense: it was asked for");
  EXPECT_EQ(report.layers.back().skipped, "it was asked for");
  EXPECT_EQ(report.layers[static_cast<size_t>(FindLayer(layers, "shared"))].skipped,
            "its input channels are not followed");
  EXPECT_EQ(testing::ChangedParameters(before, graph), 0);
}

TEST(PermuteChannels, WritesItsReportAsCsv) {
  PermutationReport report;
  ChannelGroup group;
  group.consumers = {"a", "b"};
  group.channels = 16;
  group.gain = {2, 3, 4};
  group.swaps = 5;
  group.escapes = 100;
  group.seconds = 0.25;
  report.groups.push_back(group);
  ChannelGroup held;
  held.consumers = {"c"};
  held.channels = 3;
  held.skipped = "\"x\" is an input";
  report.groups.push_back(held);
  report.layers.push_back({"a", 16, "", {1, 1.5, 2}});
  report.layers.push_back({"b", 16, "asked, for", {}});
  report.total = {1, 1.5, 2};
  report.seconds = 0.5;
  EXPECT_EQ(PermutationCsv(report),
            "kind,name,channels,plain,permuted,best,efficacy,swaps,escapes,seconds,reason\n"
            "group,a+b,16,2,3,4,0.5000,5,100,0.250,-\n"
            "group,c,3,-,-,-,-,0,0,0.000,\"\"\"x\"\" is an input\"\n"
            "layer,a,16,1,1.5,2,0.5000,-,-,-,-\n"
            "layer,b,16,-,-,-,-,-,-,-,\"asked, for\"\n"
            "total,-,-,1,1.5,2,0.5000,-,-,0.500,-\n");
}

TEST(PermuteChannels, RefusesOtherPatterns) {
  EXPECT_EQ(MessageOf([] {
              AmpereScheduler scheduler({.mask_calculator = "m8n4_1d", .allow_permutation = true});
            }),
            "scheduler.kwargs.allow_permutation: channels are permuted for 1:4, 2:4 and 3:4, not "
            "for 4:8; set it to False");
  Graph graph = testing::SmallResidualNet();
  const auto refuse = [&](int64_t n, int64_t m) {
    return MessageOf([&] { PermuteChannels(graph, {}, {}, {}, n, m, {}, ""); });
  };
  EXPECT_EQ(refuse(4, 8),
            "scheduler.kwargs.allow_permutation: channels are permuted for 1:4, 2:4 and 3:4, not "
            "for 4:8; set it to False");
  EXPECT_NE(refuse(4, 4), "no error");
  EXPECT_NE(refuse(0, 4), "no error");
}

// In a process of its own: the flag is never cleared.
TEST(PermuteChannelsDeathTest, StopsOnASignal) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        InstallInterruptHandlers();
        std::raise(SIGINT);
        Graph graph = testing::SmallResidualNet();
        const std::string whole = MessageOf([&] { Permute(graph); });
        const std::string search = MessageOf([] { SearchStripes(MagnitudeColumns(4, 16), {}); });
        const bool both = whole.starts_with("stopped") && search.starts_with("stopped");
        std::_Exit(both ? 42 : 1);
      },
      ::testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace sparsify

#include "sparsity/allocation/allocation.h"

#include <cmath>

#include "sparsity/base/log.h"
#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MessageOf;
using testing::Overall;
using testing::SmallNetwork;
using testing::TestNetwork;

TEST(Allocate, UniformGivesEveryLayerTheSame) {
  const TestNetwork net = SmallNetwork();
  for (const double s : net.Sparsities(0.37, {})) EXPECT_EQ(s, 0.37);
}

TEST(Allocate, SkippedLayersStayDenseAndTheOthersCarryTheTarget) {
  const TestNetwork net = SmallNetwork();
  auto skipped = net.NoneSkipped();
  skipped[0] = "because";
  for (const char* type : {"Uniform", "ERK", "Magnitude", "L1Normalized", "L2Normalized"}) {
    const auto targets = Allocate(net.graph, net.layers, skipped, 0.5, {.type = type});
    EXPECT_EQ(targets[0].skipped, "because");
    EXPECT_EQ(targets[0].sparsity, 0);
    double pruned = 0;
    double total = 0;
    for (size_t i = 1; i < targets.size(); ++i) {
      EXPECT_EQ(targets[i].skipped, "");
      pruned += targets[i].sparsity * static_cast<double>(net.layers[i].parameters);
      total += static_cast<double>(net.layers[i].parameters);
    }
    EXPECT_NEAR(pruned / total, 0.5, 1 / total) << type;
  }
}

TEST(Allocate, TheExtremesAreAllOrNothing) {
  const TestNetwork net = SmallNetwork();
  for (const char* type : {"Uniform", "ERK", "Magnitude", "L1Normalized", "L2Normalized"}) {
    for (const double s : net.Sparsities(0, {.type = type})) EXPECT_EQ(s, 0) << type;
    for (const double s : net.Sparsities(1, {.type = type})) EXPECT_NEAR(s, 1, 1e-15) << type;
  }
  for (const double s : net.Sparsities(0, {.type = "level"})) EXPECT_EQ(s, 0);
}

TEST(Allocate, RefusesWhatMakesNoSense) {
  TestNetwork net = SmallNetwork();
  EXPECT_EQ(MessageOf([&] { net.Sparsities(50, {}); }),
            "allocation: sparsity 50 is outside 0 … 1; give a fraction, not percent");
  EXPECT_THAT(MessageOf([&] { net.Sparsities(NAN, {}); }), HasSubstr("sparsity nan is outside"));
  EXPECT_EQ(MessageOf([&] { net.Sparsities(0.5, {.type = "Erk"}); }),
            "allocation.type: unknown \"Erk\"; known: Uniform, ERK, Magnitude, L1Normalized, "
            "L2Normalized, level, table, Sensitivity, FCPTS");
  EXPECT_THAT(MessageOf([&] { net.Sparsities(0.5, {.max_layer_sparsity = 0}); }),
              HasSubstr("allocation.max_layer_sparsity: 0 is outside"));
  EXPECT_THAT(MessageOf([&] { Allocate(net.graph, net.layers, {}, 0.5, {}); }),
              HasSubstr("0 skip reasons for 6 layers"));
  const std::vector<std::string> all(6, "kept");
  EXPECT_THAT(MessageOf([&] { Allocate(net.graph, net.layers, all, 0.5, {}); }),
              HasSubstr("no layer may be pruned"));
  net.weight(3)[7] = NAN;
  for (const char* type : {"Magnitude", "L1Normalized", "L2Normalized", "level"}) {
    EXPECT_EQ(MessageOf([&] { net.Sparsities(0.5, {.type = type}); }),
              "block2.conv1: weight of shape [64,16,3,3] holds nan at flat index 7; repair the "
              "model first");
  }
}

TEST(Allocate, SaysWhenACapIsTooLow) {
  const TestNetwork net = SmallNetwork();
  for (const char* type : {"ERK", "Magnitude", "L1Normalized"}) {
    EXPECT_THAT(MessageOf([&] { net.Sparsities(0.9, {.type = type, .max_layer_sparsity = 0.8}); }),
                HasSubstr("allocation: sparsity 0.9 of 16832 weights is unreachable with "
                          "max_layer_sparsity 0.8: at most 0.79"));
    EXPECT_NEAR(Overall(net, net.Sparsities(0.8, {.type = type, .max_layer_sparsity = 0.8})), 0.8,
                6.0 / 16832)
        << type;
  }
  EXPECT_THAT(MessageOf([&] { net.Sparsities(0.9, {.max_layer_sparsity = 0.8}); }),
              HasSubstr("Uniform gives every layer 0.9, above max_layer_sparsity 0.8"));
}

TEST(SumSparsity, CountsSelectedAndAll) {
  TestNetwork net;
  net.Add("a", {10, 10});
  net.Add("b", {10, 30});
  const NetworkSparsity both = SumSparsity(net.layers, {"", ""}, {0.5, 0.9});
  EXPECT_DOUBLE_EQ(both.selected, 0.8);
  EXPECT_DOUBLE_EQ(both.all, 0.8);
  const NetworkSparsity one = SumSparsity(net.layers, {"kept", ""}, {0, 0.9});
  EXPECT_DOUBLE_EQ(one.selected, 0.9);
  EXPECT_DOUBLE_EQ(one.all, 0.675);
  EXPECT_EQ(SumSparsity({}, {}, {}).selected, 0);
}

TEST(SelectLayers, GivesTheReasonOfEachSkippedLayer) {
  const TestNetwork net = SmallNetwork();
  EXPECT_THAT(SelectLayers(net.layers, {}), ElementsAre("", "", "", "", "", ""));
  const LayerSelectionOptions options{
      .no_prune_keyword = " block2 ,zzz", .no_prune_layer = "conv1, fc", .dw_no_prune = true};
  LogCapture log;
  EXPECT_THAT(
      SelectLayers(net.layers, options),
      ElementsAre("named in no_prune_layer", "", "depthwise (dw_no_prune)",
                  "name contains \"block2\" (no_prune_keyword)",
                  "name contains \"block2\" (no_prune_keyword)", "named in no_prune_layer"));
  EXPECT_TRUE(log.Contains("warning: no_prune_keyword: no layer's name contains \"zzz\""));
  EXPECT_EQ(log.lines().size(), 1U);
}

TEST(SelectLayers, RefusesUnknownNames) {
  const TestNetwork net = SmallNetwork();
  EXPECT_EQ(MessageOf([&] { SelectLayers(net.layers, {.no_prune_layer = "block1.conv2"}); }),
            "no_prune_layer: the network has no layer \"block1.conv2\"; did you mean "
            "\"block1.conv1\"; it has 6 prunable layers");
  EXPECT_THAT(MessageOf([&] { SelectLayers(net.layers, {.no_prune_layer = "qqqqqq"}); }),
              HasSubstr("no layer \"qqqqqq\"; it has 6"));
}

}  // namespace
}  // namespace sparsify

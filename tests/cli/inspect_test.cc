#include "sparsity/cli/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/cli/cli_test_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MagnitudeHistogram, CountsByQuarterDecades) {
  const Tensor weights({6}, {1.0F, -0.9F, 0.1001F, 0.0F, 1e-7F, -0.5F});
  const CsvTable table = MagnitudeHistogram({&weights});
  ASSERT_EQ(table.rows.size(), 17U);
  EXPECT_EQ(table.rows.front()[0], "0");
  EXPECT_EQ(table.rows.front()[2], "1");  // 1e-7 lies below four decades
  EXPECT_EQ(table.rows.back()[1], "1.00e+00");
  EXPECT_EQ(table.rows.back()[2], "2");  // 1 and 0.9, above 10^-0.25
  EXPECT_EQ(table.rows[15][2], "1");     // 0.5
  EXPECT_EQ(table.rows[13][2], "1");     // 0.1001
  EXPECT_EQ(table.rows.back()[3], "40.00");
}

TEST(MagnitudeHistogram, LeavesOutWhatIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor weights({4}, {1.0F, infinity, -infinity, std::nanf("")});
  const CsvTable table = MagnitudeHistogram({&weights});
  EXPECT_EQ(table.rows.back()[1], "1.00e+00");
  EXPECT_EQ(table.rows.back()[3], "100.00");
}

TEST(MagnitudeHistogram, OfZerosIsEmpty) {
  const Tensor weights({2}, {0.0F, 0.0F});
  EXPECT_TRUE(MagnitudeHistogram({&weights}).rows.empty());
}

TEST(InspectUnits, ListsThem) {
  const std::string text = InspectUnits(testing::SmallResidualNet(), "net.h5", UnitPattern::kBlock);
  EXPECT_THAT(text, HasSubstr("net.h5: small_residual, 5 layers in 3 units (block)\n\n  1  "));
  EXPECT_THAT(text, HasSubstr("block.conv1, block.conv2, block.down"));
}

TEST(InspectModel, ListsLayersAndTotals) {
  Checkpoint model;
  Graph& graph = model.graph;
  graph.name = "tiny";
  const ValueId x = graph.AddActivation("x");
  const ValueId w = graph.AddParameter("fc.weight", Tensor({2, 4}, {1, 0, 0, 2, 0, 3, 0, 4}));
  const ValueId y = graph.AddActivation("y");
  Node node = {"fc", OpType::kGemm, {x, w}, {y}, {}};
  node.attributes.Set("transB", int64_t{1});
  graph.AddNode(node);
  graph.inputs = {{x, {-1, 4}}};
  graph.outputs = {{y, {-1, 2}}};
  graph.SortAndCheck();
  model.history = {{"2026-01-02T03:04:05Z", "0.1.0", "pruned 50 %"}};
  const std::string text = InspectModel(model, "tiny.h5");
  EXPECT_THAT(text, HasSubstr("tiny.h5: tiny, 1 nodes\ninput  x [-1,4]\noutput y [-1,2]\n"));
  EXPECT_THAT(text, HasSubstr("1 layers, 8 parameters of which 8 are their weights, 8 MACs"));
  EXPECT_THAT(text, HasSubstr("4 weights are zero: 50.00 %"));
  EXPECT_THAT(text, HasSubstr("2026-01-02T03:04:05Z  sparsify 0.1.0: pruned 50 %"));
  EXPECT_THAT(text, Not(HasSubstr("infinite")));
  graph.mutable_value(w).data[3] = std::nanf("");
  EXPECT_THAT(InspectModel(model, "tiny.h5"), HasSubstr("1 weights are NaN or infinite"));
}

}  // namespace
}  // namespace sparsify

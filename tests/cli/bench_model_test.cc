#include "sparsity/cli/bench_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/cli/cli_test_support.h"
#include "tests/executor/plan_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

BenchmarkOptions Read(const std::string& text) {
  return ReadBenchmark(OptionsDocument::FromText(text, "command line"));
}

TEST(ReadBenchmark, TakesThatSectionAlone) {
  const BenchmarkOptions options = Read("benchmark: {batch: [1, 3], repetitions: 2}");
  EXPECT_THAT(options.batch, ElementsAre(1, 3));
  EXPECT_EQ(options.repetitions, 2);
  EXPECT_THAT(Read("{}").batch, ElementsAre(8));
  EXPECT_THAT(ErrorOf([] { Read("sweep: [50]"); }), HasSubstr("sweep"));
  EXPECT_THAT(ErrorOf([] { Read("benchmark: {batch: []}"); }), HasSubstr("give at least one"));
}

class BenchModelTest : public ::testing::Test {
 protected:
  BenchModelTest() {
    model_.graph = testing::SmallResidualNet();
    testing::PruneRandomly(model_.graph, 0.8, 3);
    options_.plan_cache = std::nullopt;
    options_.repetitions = 1;
    options_.batch = {1, 3};
  }

  Checkpoint model_;
  BenchmarkOptions options_;
};

TEST_F(BenchModelTest, HasARowOfEachBatchAndTheLayersOfEach) {
  const std::string text = BenchModel(model_, "net.h5", options_);
  EXPECT_THAT(text, HasSubstr("net.h5: small_residual, "));
  EXPECT_THAT(text, HasSubstr(" % of the layers' weights are zero; f32, "));
  EXPECT_THAT(text, HasSubstr("\nbatch 1, 1 threads\n"));
  EXPECT_THAT(text, HasSubstr("\nbatch 3, 1 threads\n"));
  EXPECT_THAT(text, HasSubstr("block.conv2"));
  EXPECT_THAT(text, HasSubstr("why dense"));
}

TEST_F(BenchModelTest, RefusesWhatCannotBeTimed) {
  model_.graph.inputs[0].shape = Shape({3, 3, 16, 16});
  EXPECT_EQ(ErrorOf([&] { BenchModel(model_, "net.h5", options_); }),
            "benchmark.batch: 1, but net.h5 fixes its batch size: --set benchmark.batch=[3]");
  options_.batch = {3};
  model_.graph.mutable_value(model_.graph.FindValue("fc.weight")).data[0] = std::nanf("");
  EXPECT_THAT(ErrorOf([&] { BenchModel(model_, "net.h5", options_); }), HasSubstr("fc.weight"));
}

}  // namespace
}  // namespace sparsify

#include "sparsity/executor/plan_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "tests/executor/plan_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PlanCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "plan_cache_" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    graph_ = testing::SmallResidualNet();
    testing::PruneRandomly(graph_, 0.8, 3);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  PlanOptions Options(int64_t batch = 8) const {
    return {.batch = batch, .winograd = true, .cache_folder = folder_};
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    if (!std::filesystem::exists(folder_)) return files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      files.push_back(entry.path().string());
    }
    return files;
  }

  std::string folder_;
  Graph graph_;
};

std::vector<std::string> KernelsOf(const Plan& plan) {
  std::vector<std::string> kernels;
  for (const StepReport& step : plan.report().steps) kernels.push_back(step.kernel);
  return kernels;
}

TEST_F(PlanCacheTest, TheSecondPlanIsTheFirst) {
  const Plan first(graph_, Options());
  EXPECT_EQ(first.report().cached_in, "");
  ASSERT_EQ(Files().size(), 1U);
  const Plan second(graph_, Options());
  EXPECT_EQ(second.report().cached_in, Files()[0]);
  EXPECT_EQ(KernelsOf(second), KernelsOf(first));
  for (size_t i = 0; i < first.report().steps.size(); ++i) {
    EXPECT_EQ(second.report().steps[i].time_ms, first.report().steps[i].time_ms);
    EXPECT_EQ(second.report().steps[i].dense_time_ms, first.report().steps[i].dense_time_ms);
    EXPECT_EQ(second.report().steps[i].reason, first.report().steps[i].reason);
  }
  EXPECT_TRUE(testing::AgreesWithInterpreter(graph_, second));
}

TEST_F(PlanCacheTest, AFileThatIsCutShortIsMadeAnew) {
  const Plan first(graph_, Options());
  const std::string path = Files().at(0);
  const std::string text = ReadFile(path, 1 << 20);
  ASSERT_TRUE(text.ends_with("\nend\n"));
  const LogCapture log;
  WriteFileAtomically(path, text.substr(0, text.size() - 4));
  EXPECT_EQ(Plan(graph_, Options()).report().cached_in, "");
  EXPECT_TRUE(log.Contains("is cut short; the plan is made anew"));
  EXPECT_TRUE(ReadFile(path, 1 << 20).ends_with("\nend\n"));
}

TEST_F(PlanCacheTest, BandedKernelsAreFoundAgain) {
  Graph graph = testing::PooledNet();
  testing::PruneRandomly(graph, 0.9, 3);
  PlanOptions options = Options();
  options.cache_bytes = 1;
  const Plan first(graph, options);
  const Plan second(graph, options);
  EXPECT_EQ(second.report().cached_in, Files().at(0));
  EXPECT_EQ(KernelsOf(second), KernelsOf(first));
  EXPECT_TRUE(testing::AgreesWithInterpreter(graph, second));
  options.cache_bytes = 1 << 30;
  const Plan other(graph, options);
  EXPECT_EQ(other.report().cached_in, "");
  EXPECT_EQ(Files().size(), 2U);
}

TEST_F(PlanCacheTest, AnotherBatchOrWeightIsAnotherPlan) {
  const Plan first(graph_, Options());
  const Plan other_batch(graph_, Options(3));
  EXPECT_EQ(other_batch.report().cached_in, "");
  graph_.mutable_value(graph_.nodes()[0].inputs[1]).data[0] += 1;
  const Plan other_weights(graph_, Options());
  EXPECT_EQ(other_weights.report().cached_in, "");
  EXPECT_EQ(Files().size(), 3U);
}

TEST_F(PlanCacheTest, WithoutAFolderOrTuningNothingIsKept) {
  PlanOptions options = Options();
  options.tune = false;
  const Plan untuned(graph_, options);
  EXPECT_TRUE(Files().empty());
  options = Options();
  options.allow_sparse = options.winograd = false;
  const Plan dense(graph_, options);
  EXPECT_TRUE(Files().empty());
}

TEST_F(PlanCacheTest, DamageIsSaidAndMendedByAPlanMadeAnew) {
  const Plan first(graph_, Options());
  const std::string path = Files().at(0);
  const std::string whole = ReadFile(path, 1 << 20);
  const std::string cases[] = {
      whole.substr(0, whole.size() / 2),
      "",
      "sparsify plan 3\nsomething else\n",
      [&] {  // a time that is none
        std::string text = whole;
        const size_t tab = text.find("\t0\t");
        return text.replace(tab + 3, 1, "x");
      }(),
  };
  for (const std::string& damaged : cases) {
    WriteFileAtomically(path, damaged);
    const LogCapture log;
    const Plan again(graph_, Options());
    EXPECT_EQ(again.report().cached_in, "");
    ASSERT_EQ(log.lines().size(), 1U);
    EXPECT_THAT(log.lines()[0], HasSubstr("the plan is made anew"));
    EXPECT_TRUE(testing::AgreesWithInterpreter(graph_, again));
    const Plan mended(graph_, Options());
    EXPECT_EQ(mended.report().cached_in, path);
  }
}

TEST_F(PlanCacheTest, AnUnknownCandidateMakesAPlanAnew) {
  const Plan first(graph_, Options());
  const std::string path = Files().at(0);
  std::string text = ReadFile(path, 1 << 20);
  const size_t begin = text.find('\n', text.find("steps ")) + 1;
  text.replace(begin, text.find('\t', begin) - begin, "sparse 99x99 unheard of");
  WriteFileAtomically(path, text);
  const Plan again(graph_, Options());
  EXPECT_EQ(again.report().cached_in, "");
  EXPECT_TRUE(testing::AgreesWithInterpreter(graph_, again));
}

TEST_F(PlanCacheTest, AFolderThatCannotBeWrittenIsNoError) {
  WriteFileAtomically(folder_, "a file in the way");
  const LogCapture log;
  const Plan plan(graph_, Options());
  ASSERT_EQ(log.lines().size(), 1U);
  EXPECT_THAT(log.lines()[0], HasSubstr("the plan is not kept for later runs"));
}

}  // namespace
}  // namespace sparsify

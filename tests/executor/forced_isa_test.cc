// SPARSIFY_FORCE_ISA is obeyed by every kernel of a plan, oneDNN's included. Each case runs
// in a process of its own, because oneDNN takes its limit once.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "sparsity/base/error.h"
#include "sparsity/executor/plan.h"
#include "sparsity/ops/interpreter.h"
#include "tests/executor/plan_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

/// Instruction sets that kernel names may mention, least first.
constexpr const char* kNames[] = {"sse41", "avx2", "avx512"};

bool MentionsMoreThan(const std::string& kernel, Isa isa) {
  for (size_t i = static_cast<size_t>(isa) + 1; i < std::size(kNames); ++i) {
    if (kernel.find(kNames[i]) != std::string::npos) return true;
  }
  return false;
}

/// What is wrong with a plan whose kernels must not use more than `isa`, counted.
int CountFailures(const Graph& graph, Isa isa, bool allow_sparse) {
  const Plan plan(
      graph,
      {.batch = 16, .threads = 1, .allow_sparse = allow_sparse, .tune = false, .cache_bytes = 1});
  int failures = plan.report().isa == IsaName(isa) ? 0 : 1;
  bool ran_own = false;
  for (const StepReport& step : plan.report().steps) {
    if (MentionsMoreThan(step.kernel, isa)) {
      std::fprintf(stderr, "%s runs %s\n", step.name.c_str(), step.kernel.c_str());
      ++failures;
    }
    ran_own = ran_own || (step.kernel.starts_with("sparse") && step.kernel.ends_with(IsaName(isa)));
  }
  if (allow_sparse && !ran_own) ++failures;
  if (!testing::AgreesWithInterpreter(graph, plan)) ++failures;
  return failures;
}

/// Exit status 0 when the plans' answers are right and no kernel uses more than `isa`.
[[noreturn]] void CheckInThisProcess(Isa isa, bool allow_sparse) {
  setenv("SPARSIFY_FORCE_ISA", std::string(IsaName(isa)).c_str(), 1);
  int failures = 0;
  for (Graph graph : {testing::SmallResidualNet(), testing::PooledNet()}) {
    testing::PruneRandomly(graph, 0.9, 3);
    failures += CountFailures(graph, isa, allow_sparse);
  }
  std::exit(failures);
}

class ForcedIsa : public ::testing::TestWithParam<std::tuple<Isa, bool>> {};

TEST_P(ForcedIsa, IsTheOneThatRuns) {
  const auto [isa, allow_sparse] = GetParam();
  if (!IsaSupported(isa)) GTEST_SKIP() << IsaName(isa) << " is not supported here";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(CheckInThisProcess(isa, allow_sparse), ::testing::ExitedWithCode(0), "");
}

INSTANTIATE_TEST_SUITE_P(All, ForcedIsa,
                         ::testing::Combine(::testing::Values(Isa::kScalar, Isa::kAvx2,
                                                              Isa::kAvx512),
                                            ::testing::Bool()));

/// A plan with everything allowed first, then one with less: oneDNN cannot follow any more.
[[noreturn]] void ForceTooLate() {
  unsetenv("SPARSIFY_FORCE_ISA");
  const Graph graph = testing::SmallResidualNet();
  const Plan first(graph, {.batch = 1, .threads = 1, .allow_sparse = false});
  setenv("SPARSIFY_FORCE_ISA", "scalar", 1);
  try {
    const Plan second(graph, {.batch = 1, .threads = 1, .allow_sparse = false});
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::exit(error.ExitCode());
  }
  std::exit(0);
}

/// A dense operator before the first plan, with the limit set in time.
[[noreturn]] void LimitThenOperator() {
  setenv("SPARSIFY_FORCE_ISA", "avx2", 1);
  LimitDenseLibrary();
  const Graph graph = testing::SmallResidualNet();
  const std::vector<Tensor> images = testing::RandomInputs({Shape{1, 3, 16, 16}}, 1);
  Interpreter(graph).Run({&images[0]});
  const Plan plan(graph, {.batch = 1, .threads = 1, .allow_sparse = false});
  std::exit(plan.report().isa == "avx2" ? 0 : 1);
}

TEST(LimitDenseLibrary, MayComeBeforeTheFirstOperator) {
  if (!IsaSupported(Isa::kAvx2)) GTEST_SKIP() << "avx2 is not supported here";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(LimitThenOperator(), ::testing::ExitedWithCode(0), "");
}

TEST(ForcedIsaTooLate, IsAnErrorNotIgnored) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(ForceTooLate(), ::testing::ExitedWithCode(2),
              "SPARSIFY_FORCE_ISA: oneDNN already runs with more than scalar");
}

}  // namespace
}  // namespace sparsify

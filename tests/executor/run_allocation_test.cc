// A run allocates nothing: every operator new of the process is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "sparsity/executor/plan.h"
#include "tests/executor/plan_support.h"
#include "tests/support/graph_builder.h"

namespace {

std::atomic<int64_t> allocations = 0;

void* Allocate(std::size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return Allocate(bytes); }
void* operator new[](std::size_t bytes) { return Allocate(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes == 0 ? 1 : bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t& tag) noexcept {
  return operator new(bytes, tag);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace sparsify {
namespace {

/// Its second run.
void ExpectNoAllocation(Graph graph, PlanOptions options) {
  testing::PruneRandomly(graph, 0.9, 3);
  options.batch = 16;
  options.tune = false;
  const Plan plan(graph, options);
  for (const StepReport& step : plan.report().steps) {
    // oneDNN allocates a little at each call; there must be none of it for this test to mean
    // something.
    ASSERT_FALSE(step.kernel.starts_with("onednn")) << step.name << " runs " << step.kernel;
  }
  const std::vector<Tensor> inputs = testing::RandomInputs(plan.input_shapes(), 1);
  Tensor output(plan.output_shapes()[0]);
  const std::vector<const float*> in = {inputs[0].data()};
  const std::vector<float*> out = {output.data()};
  plan.Run(in, out);
  const int64_t before = allocations;
  plan.Run(in, out);
  EXPECT_EQ(allocations - before, 0);
}

TEST(PlanRun, AllocatesNothingOverLanes) { ExpectNoAllocation(testing::SmallResidualNet(), {}); }

TEST(PlanRun, AllocatesNothingInBands) {
  ExpectNoAllocation(testing::PooledNet(), {.cache_bytes = 1});
}

TEST(PlanRun, TheCounterCounts) {
  const int64_t before = allocations;
  const std::vector<int> some(10);
  EXPECT_EQ(some.size(), 10U);
  EXPECT_GT(allocations - before, 0);
}

}  // namespace
}  // namespace sparsify

#include "sparsity/executor/cold_memory.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "sparsity/executor/bandwidth.h"
#include "sparsity/executor/pricing.h"

namespace sparsify {
namespace {

constexpr int64_t kKilobyte = 1024;

TEST(ColdMemory, OutputsComeBackOnlyAfterManyOthers) {
  ColdMemory memory;
  std::set<float*> seen;
  float* first = memory.Output(4 * kKilobyte);
  for (int i = 0; i < 15; ++i) {
    float* next = memory.Output(4 * kKilobyte);
    EXPECT_NE(next, first) << i;
    EXPECT_TRUE(seen.insert(next).second) << i;
    for (int64_t j = 0; j < kKilobyte; ++j) next[j] = 1;  // all of it may be written
  }
  EXPECT_EQ(memory.Output(4 * kKilobyte), first);
}

TEST(ColdMemory, InputsAreFiniteAndNeverOutputs) {
  ColdMemory memory;
  for (const int64_t bytes : {kKilobyte, 3 * kKilobyte, int64_t{1} << 20, 5 * kKilobyte}) {
    const float* input = memory.Input(bytes);
    float* output = memory.Output(bytes);
    for (int64_t i = 0; i < bytes / 4; ++i) output[i] = NAN;
    for (int64_t i = 0; i < bytes / 4; ++i) ASSERT_TRUE(std::isfinite(input[i])) << bytes;
    memory.Evict();
  }
  const float* input = memory.Input(int64_t{1} << 20);
  for (int64_t i = 0; i < (int64_t{1} << 18); ++i) ASSERT_TRUE(std::isfinite(input[i]));
}

TEST(ColdMemory, TouchingKeepsWhatIsThere) {
  ColdMemory memory;
  float* values = memory.Output(kKilobyte);
  for (int i = 0; i < 256; ++i) values[i] = static_cast<float>(i);
  TouchLines(values, kKilobyte);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(values[i], static_cast<float>(i));
}

/// Notes where its operands lie.
class NotingKernel : public StepKernel {
 public:
  NotingKernel() {
    info_.name = "noting";
    info_.inputs = {PlainLayout(), PlainLayout()};
    info_.outputs = {PlainLayout()};
    info_.shared_input = 1;
  }
  void Run(const KernelBuffers& buffers) const override {
    EXPECT_EQ(buffers.inputs[1], buffers.outputs[0]);
    outputs.insert(buffers.outputs[0]);
    inputs.insert(buffers.inputs[0]);
    ++runs;
  }
  mutable std::set<const float*> inputs;
  mutable std::set<const float*> outputs;
  mutable size_t runs = 0;
};

TEST(Pricing, ColdOperandsAreOthersInEveryRun) {
  Pricing::Job job;
  job.inputs = {Shape{64}, Shape{64}};
  job.outputs = {Shape{64}};
  const NotingKernel cold;
  Pricing(true, 1, 1000, true).Price(cold, job);
  EXPECT_GT(cold.runs, 1);
  EXPECT_EQ(cold.outputs.size(), cold.runs);
  EXPECT_EQ(cold.inputs.size(), cold.runs);
  const NotingKernel warm;
  Pricing(true, 1, 1000, false).Price(warm, job);
  EXPECT_EQ(warm.outputs.size(), 1);
  EXPECT_EQ(warm.inputs.size(), 1);
}

}  // namespace
}  // namespace sparsify

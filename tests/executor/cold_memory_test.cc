#include "sparsity/executor/cold_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "sparsity/executor/bandwidth.h"
#include "sparsity/executor/pricing.h"

namespace sparsify {
namespace {

constexpr int64_t kKilobyte = 1024;

float* OneInput(ColdMemory& memory, int64_t bytes) {
  return memory.Inputs(std::array{bytes}).at(0);
}
float* OneOutput(ColdMemory& memory, int64_t bytes) {
  return memory.Outputs(std::array{bytes}).at(0);
}

TEST(ColdMemory, OperandsOfARunDoNotOverlapWhateverTheirOrder) {
  constexpr std::array<int64_t, 3> kBytes = {int64_t{3} << 20, kKilobyte, int64_t{40} << 20};
  ColdMemory memory;
  for (int run = 0; run < 3; ++run) {
    for (const bool results : {false, true}) {
      const auto operands = results ? memory.Outputs(kBytes) : memory.Inputs(kBytes);
      ASSERT_EQ(operands.size(), kBytes.size());
      for (size_t i = 0; i < kBytes.size(); ++i) {
        std::fill_n(operands[i], kBytes[i] / 4, static_cast<float>(i));
      }
      for (size_t i = 0; i < kBytes.size(); ++i) {
        EXPECT_EQ(std::count(operands[i], operands[i] + kBytes[i] / 4, static_cast<float>(i)),
                  kBytes[i] / 4);
      }
    }
  }
}

TEST(ColdMemory, OutputsComeBackOnlyAfterManyOthers) {
  ColdMemory memory;
  std::set<float*> seen;
  float* first = OneOutput(memory, 4 * kKilobyte);
  for (int i = 0; i < 15; ++i) {
    float* next = OneOutput(memory, 4 * kKilobyte);
    EXPECT_NE(next, first) << i;
    EXPECT_TRUE(seen.insert(next).second) << i;
    for (int64_t j = 0; j < kKilobyte; ++j) next[j] = 1;  // all of it may be written
  }
  EXPECT_EQ(OneOutput(memory, 4 * kKilobyte), first);
}

TEST(ColdMemory, InputsAreFiniteAndNeverOutputs) {
  ColdMemory memory;
  for (const int64_t bytes : {kKilobyte, 3 * kKilobyte, int64_t{1} << 20, 5 * kKilobyte}) {
    const float* input = OneInput(memory, bytes);
    float* output = OneOutput(memory, bytes);
    for (int64_t i = 0; i < bytes / 4; ++i) output[i] = NAN;
    for (int64_t i = 0; i < bytes / 4; ++i) ASSERT_TRUE(std::isfinite(input[i])) << bytes;
    memory.Evict();
  }
  const float* input = OneInput(memory, int64_t{1} << 20);
  for (int64_t i = 0; i < (int64_t{1} << 18); ++i) ASSERT_TRUE(std::isfinite(input[i]));
}

TEST(ColdMemory, TouchingKeepsWhatIsThere) {
  ColdMemory memory;
  float* values = OneOutput(memory, kKilobyte);
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

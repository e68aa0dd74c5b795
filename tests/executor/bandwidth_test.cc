#include "sparsity/executor/bandwidth.h"

#include <gtest/gtest.h>

#include "sparsity/executor/pricing.h"

namespace sparsify {
namespace {

/// Does nothing, and counts how often.
class CountingKernel : public StepKernel {
 public:
  explicit CountingKernel(int64_t constant_bytes, int64_t inner_bytes = 0) {
    info_.constant_bytes = constant_bytes;
    info_.inner_bytes = inner_bytes;
    info_.inputs = {PlainLayout()};
    info_.outputs = {PlainLayout()};
  }
  void Run(const KernelBuffers&) const override { ++runs; }

  mutable int runs = 0;
};

/// input → call 0 → inner buffer → call 1 → output, 1000 bytes each, 100 of constants a call.
Lowered Chain() {
  Lowered lowered;
  lowered.buffers = {{1000, 0, 0, 0, -1}, {1000, 0, 1, -1, -1}, {1000, 1, 1, -1, 0}};
  for (int i : {0, 1}) {
    LoweredCall& call = lowered.calls.emplace_back();
    call.kernel = std::make_unique<CountingKernel>(100);
    call.inputs = {i};
    call.outputs = {i + 1};
  }
  return lowered;
}

TEST(BandwidthBytes, InnerBufferStaysInALargeCache) {
  // Constants 200, the caller's input read and output written.
  EXPECT_EQ(BandwidthBytes(Chain(), 1 << 20), 2200);
}

TEST(BandwidthBytes, InnerBufferIsWrittenAndReadPastASmallCache) {
  EXPECT_EQ(BandwidthBytes(Chain(), 500), 4200);
}

TEST(BandwidthBytes, TheLimitIsWhatBothCallsTouch) {
  // Three buffers and two constants: 3200 bytes.
  EXPECT_EQ(BandwidthBytes(Chain(), 3200), 2200);
  EXPECT_EQ(BandwidthBytes(Chain(), 3199), 4200);
}

TEST(BandwidthBytes, ValuesWithinAKernelCountWhenTheCacheDoesNotHoldThem) {
  Lowered lowered = Chain();
  lowered.calls[0].kernel = std::make_unique<CountingKernel>(100, 600);
  EXPECT_EQ(BandwidthBytes(lowered, 1 << 20), 2200);
  // What both calls touch is larger by them.
  EXPECT_EQ(BandwidthBytes(lowered, 3799), 4200);
  EXPECT_EQ(BandwidthBytes(lowered, 3800), 2200);
  EXPECT_EQ(BandwidthBytes(lowered, 599), 4200 + 2 * 600);
  EXPECT_EQ(BandwidthBytes(lowered, 600), 4200);
}

TEST(PrivateCacheBytes, IsPlausible) {
  EXPECT_GE(PrivateCacheBytes(), int64_t{64} << 10);
  EXPECT_LE(PrivateCacheBytes(), int64_t{1} << 30);
}

TEST(Pricing, EqualKeysAreTimedOnceInAProcess) {
  const CountingKernel kernel(0);
  Pricing::Job job;
  job.inputs = job.outputs = {Shape{4}};
  job.key = "bandwidth_test kernel";
  Pricing first(true, 1, 1000, false);
  const double price = first.Price(kernel, job);
  const int runs = kernel.runs;
  EXPECT_GT(runs, 1);
  EXPECT_EQ(Pricing(true, 1, 1000, false).Price(kernel, job), price);
  EXPECT_EQ(kernel.runs, runs);
  Pricing(true, 2, 1000, false).Price(kernel, job);
  EXPECT_GT(kernel.runs, runs) << "another thread count is another price";
}

TEST(Pricing, TheRuleDoesNotRunTheKernel) {
  const CountingKernel kernel(0);
  Pricing::Job job;
  job.inputs = job.outputs = {Shape{4}};
  Pricing rule(false, 1, 0, false);
  const double small = rule.Price(kernel, job);
  job.macs = 1e9;
  EXPECT_GT(rule.Price(kernel, job), small);
  EXPECT_EQ(kernel.runs, 0);
  EXPECT_FALSE(rule.IsExhausted());
}

TEST(Layout, LanesDivideTheBatchAndKeysTellFormatsApart) {
  EXPECT_EQ(LanesForBatch(32), 16);
  EXPECT_EQ(LanesForBatch(24), 8);
  EXPECT_EQ(LanesForBatch(7), 1);
  const Shape shape{8, 32, 5, 5};
  EXPECT_EQ(LayoutKey(PlainLayout(), shape), "plain");
  EXPECT_NE(LayoutKey(LanesLayout(8, 0), shape), LayoutKey(LanesLayout(16, 0), shape));
  EXPECT_EQ(LayoutBytes(PlainLayout(), shape), 4 * 8 * 32 * 25);
  EXPECT_GE(LayoutBytes(LanesLayout(8, 0), shape), 4 * 8 * 32 * 25);
}

}  // namespace
}  // namespace sparsify

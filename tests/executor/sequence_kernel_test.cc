#include "sparsity/executor/sequence_kernel.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace sparsify {
namespace {

/// Adds a number to each of four floats, having spoilt its scratch.
class AddingKernel : public StepKernel {
 public:
  AddingKernel(std::string name, float term, int64_t scratch_floats, int64_t constant_bytes)
      : term_(term), scratch_floats_(scratch_floats) {
    info_.name = std::move(name);
    info_.inputs = info_.outputs = {PlainLayout()};
    info_.scratch_bytes = scratch_floats * static_cast<int64_t>(sizeof(float));
    info_.constant_bytes = constant_bytes;
  }

  void Run(const KernelBuffers& buffers) const override {
    auto* scratch = static_cast<float*>(buffers.scratch);
    for (int64_t i = 0; i < scratch_floats_; ++i) scratch[i] = -1;
    for (int i = 0; i < 4; ++i) buffers.outputs[0][i] = buffers.inputs[0][i] + term_;
  }

 private:
  float term_;
  int64_t scratch_floats_;
};

TEST(SequenceKernel, EachReadsWhatTheOneBeforeWrote) {
  std::vector<KernelPtr> kernels;
  kernels.push_back(std::make_unique<AddingKernel>("first", 1.0F, 16, 10));
  kernels.push_back(std::make_unique<AddingKernel>("second", 20.0F, 48, 20));
  kernels.push_back(std::make_unique<AddingKernel>("third", 300.0F, 0, 40));
  const KernelPtr kernel = MakeSequence(std::move(kernels), {Shape{4}, Shape{4}});
  const KernelInfo& info = kernel->info();
  EXPECT_EQ(info.name, "first");
  EXPECT_EQ(info.constant_bytes, 70);
  EXPECT_EQ(info.inner_bytes, 2 * 16);
  // Two values of a cache line each, and the largest scratch.
  EXPECT_EQ(info.scratch_bytes, 2 * 64 + 48 * 4);
  std::vector<float> scratch(static_cast<size_t>(info.scratch_bytes) / sizeof(float));
  for (float base : {0.0F, 5.0F}) {
    const std::vector<float> in = {base, base + 1, base + 2, base + 3};
    std::vector<float> out(4);
    kernel->Run({{in.data()}, {out.data()}, scratch.data()});
    for (int i = 0; i < 4; ++i) EXPECT_EQ(out[i], in[i] + 321);
  }
}

}  // namespace
}  // namespace sparsify

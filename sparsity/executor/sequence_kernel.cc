#include "sparsity/executor/sequence_kernel.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "sparsity/base/rounding.h"
#include "sparsity/executor/arena.h"

namespace sparsify {
namespace {

class SequenceKernel : public StepKernel {
 public:
  SequenceKernel(std::vector<KernelPtr> kernels, const std::vector<Shape>& between)
      : kernels_(std::move(kernels)), buffers_(kernels_.size()) {
    const KernelInfo& first = kernels_.front()->info();
    info_.name = first.name;
    info_.inputs = first.inputs;
    info_.outputs = kernels_.back()->info().outputs;
    for (size_t i = 0; i < between.size(); ++i) {
      const int64_t bytes = LayoutBytes(kernels_[i]->info().outputs[0], between[i]);
      offsets_.push_back(values_bytes_);
      values_bytes_ += RoundUp(bytes, kArenaAlignment);
      info_.inner_bytes += bytes;
    }
    int64_t scratch = 0;
    for (size_t i = 0; i < kernels_.size(); ++i) {
      buffers_[i].inputs.resize(1);
      buffers_[i].outputs.resize(1);
      info_.constant_bytes += kernels_[i]->info().constant_bytes;
      scratch = std::max(scratch, kernels_[i]->info().scratch_bytes);
    }
    info_.scratch_bytes = values_bytes_ + scratch;
  }

  void Run(const KernelBuffers& buffers) const override {
    auto* scratch = static_cast<std::byte*>(buffers.scratch);
    for (size_t i = 0; i < kernels_.size(); ++i) {
      buffers_[i].inputs[0] = i == 0 ? buffers.inputs[0] : buffers_[i - 1].outputs[0];
      buffers_[i].outputs[0] = i + 1 == kernels_.size()
                                   ? buffers.outputs[0]
                                   : reinterpret_cast<float*>(scratch + offsets_[i]);
      buffers_[i].scratch = scratch + values_bytes_;
      kernels_[i]->Run(buffers_[i]);
    }
  }

 private:
  std::vector<KernelPtr> kernels_;
  std::vector<int64_t> offsets_;  // of the values between, in scratch
  int64_t values_bytes_ = 0;
  mutable std::vector<KernelBuffers> buffers_;
};

}  // namespace

KernelPtr MakeSequence(std::vector<KernelPtr> kernels, const std::vector<Shape>& between) {
  return std::make_unique<SequenceKernel>(std::move(kernels), between);
}

}  // namespace sparsify

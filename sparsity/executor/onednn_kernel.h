// A step that is one oneDNN primitive: its arguments bound to operands, outputs, scratch
// and constants.
#pragma once

#include <dnnl.hpp>
#include <vector>

#include "sparsity/executor/activation.h"
#include "sparsity/executor/arena.h"
#include "sparsity/executor/kernel.h"
#include "sparsity/executor/onednn_engine.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify::onednn {

class OnednnKernel : public StepKernel {
 public:
  OnednnKernel(dnnl::primitive primitive, std::string implementation);

  void Run(const KernelBuffers& buffers) const override;

  /// Operand `index` is the primitive's argument `argument`, in the given format.
  void AddInput(int argument, const dnnl::memory::desc& format, const Shape& shape);
  /// Operand `index` must share the output's memory (a sum into the destination).
  void AddSharedInput(const dnnl::memory::desc& format, const Shape& shape);
  void AddOutput(int argument, const dnnl::memory::desc& format, const Shape& shape);
  void AddScratch(const dnnl::memory::desc& format);
  /// `plain` reordered from `from` to `to`; kept for the life of the kernel.
  void AddConstant(int argument, const Tensor& plain, const dnnl::memory::desc& from,
                   const dnnl::memory::desc& to);
  /// The first operand's memory may be the output's.
  void AllowSharing() { info_.shared_input = 0; }

 private:
  enum class Source { kInput, kOutput, kScratch, kConstant };
  struct Argument {
    dnnl::memory memory;
    Source source;
    size_t index = 0;
    mutable const void* bound = nullptr;
  };

  void Add(int argument, const dnnl::memory::desc& format, Source source, size_t index);
  const void* Pointer(const Argument& argument, const KernelBuffers& buffers) const;

  dnnl::primitive primitive_;
  std::vector<Argument> arguments_;
  std::vector<dnnl_exec_arg_t> exec_arguments_;
  std::vector<AlignedBuffer> constants_;
};

/// `format` of a value of this shape; formats whose bytes are row-major become kPlain.
Layout LayoutOf(const dnnl::memory::desc& format, const Shape& shape);
/// The descriptor of a kPlain or kBlocked layout.
dnnl::memory::desc FormatOf(const Layout& layout, const Shape& shape);

/// Appends the activation, which may take two operations. kNone appends nothing.
void AppendActivation(dnnl::post_ops& ops, const Activation& activation);

}  // namespace sparsify::onednn

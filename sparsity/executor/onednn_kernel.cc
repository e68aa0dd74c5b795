#include "sparsity/executor/onednn_kernel.h"

#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/executor/simplify.h"

namespace sparsify::onednn {
namespace {

/// Whether a C×1×1 value in `format` has the bytes of the row-major one.
bool IsPlainRow(const dnnl::memory::desc& format, const Shape& pixels) {
  if (pixels.rank() != 4 || pixels[2] != 1 || pixels[3] != 1) return false;
  using Tag = dnnl::memory::format_tag;
  if (static_cast<int64_t>(format.get_size()) !=
      pixels.NumElements() * static_cast<int64_t>(sizeof(float))) {
    return false;
  }
  const dnnl::memory::dims row = {pixels[0], pixels[1]};
  if (format == dnnl::memory::desc(row, dnnl::memory::data_type::f32, Tag::ab)) return true;
  for (Tag tag : {Tag::nhwc, Tag::nChw16c, Tag::nChw8c, Tag::nChw4c}) {
    if (format == Describe(pixels, tag)) return true;
  }
  return false;
}

}  // namespace

OnednnKernel::OnednnKernel(dnnl::primitive primitive, std::string implementation)
    : primitive_(std::move(primitive)) {
  info_.name = "onednn " + implementation;
}

void OnednnKernel::Add(int argument, const dnnl::memory::desc& format, Source source,
                       size_t index) {
  dnnl::memory memory(format, Engine(), DNNL_MEMORY_NONE);
  exec_arguments_.push_back({argument, memory.get()});
  arguments_.push_back({std::move(memory), source, index});
}

void OnednnKernel::AddInput(int argument, const dnnl::memory::desc& format, const Shape& shape) {
  Add(argument, format, Source::kInput, info_.inputs.size());
  info_.inputs.push_back(LayoutOf(format, shape));
}

void OnednnKernel::AddSharedInput(const dnnl::memory::desc& format, const Shape& shape) {
  info_.shared_input = static_cast<int>(info_.inputs.size());
  info_.must_share = true;
  info_.inputs.push_back(LayoutOf(format, shape));
}

void OnednnKernel::AddOutput(int argument, const dnnl::memory::desc& format, const Shape& shape) {
  Add(argument, format, Source::kOutput, info_.outputs.size());
  info_.outputs.push_back(LayoutOf(format, shape));
}

void OnednnKernel::AddScratch(const dnnl::memory::desc& format) {
  if (format.get_size() == 0) return;
  Add(DNNL_ARG_SCRATCHPAD, format, Source::kScratch, 0);
  info_.scratch_bytes = static_cast<int64_t>(format.get_size());
}

void OnednnKernel::AddConstant(int argument, const Tensor& plain, const dnnl::memory::desc& from,
                               const dnnl::memory::desc& to) {
  AlignedBuffer buffer(static_cast<int64_t>(to.get_size()));
  Add(argument, to, Source::kConstant, 0);
  dnnl::memory packed = arguments_.back().memory;
  packed.set_data_handle(buffer.data());
  // The source is only read; the interface has no const form.
  dnnl::memory source(from, Engine(), const_cast<float*>(plain.data()));
  dnnl::stream stream(Engine());
  dnnl::reorder(source, packed).execute(stream, source, packed);
  stream.wait();
  info_.constant_bytes += buffer.bytes();
  constants_.push_back(std::move(buffer));
}

const void* OnednnKernel::Pointer(const Argument& argument, const KernelBuffers& buffers) const {
  switch (argument.source) {
    case Source::kInput:
      return buffers.inputs[argument.index];
    case Source::kOutput:
      return buffers.outputs[argument.index];
    case Source::kScratch:
      return buffers.scratch;
    case Source::kConstant:
      break;
  }
  return nullptr;
}

void OnednnKernel::Run(const KernelBuffers& buffers) const {
  for (const Argument& argument : arguments_) {
    if (argument.source == Source::kConstant) continue;
    const void* pointer = Pointer(argument, buffers);
    if (pointer == argument.bound) continue;
    argument.memory.set_data_handle(const_cast<void*>(pointer));
    argument.bound = pointer;
  }
  // The C interface: the C++ one allocates a list of arguments at every call.
  const dnnl_status_t status =
      dnnl_primitive_execute(primitive_.get(), Stream().get(),
                             static_cast<int>(exec_arguments_.size()), exec_arguments_.data());
  if (status != dnnl_success) {
    Fail(info_.name, "oneDNN failed with status {}", static_cast<int>(status));
  }
}

Layout LayoutOf(const dnnl::memory::desc& format, const Shape& shape) {
  const Shape pixels = PixelShape(shape);
  Layout layout;
  if (format == DescribePlain(pixels) || IsPlainRow(format, pixels)) return layout;
  layout.kind = LayoutKind::kBlocked;
  layout.format = format;
  return layout;
}

dnnl::memory::desc FormatOf(const Layout& layout, const Shape& shape) {
  return layout.kind == LayoutKind::kBlocked ? layout.format : DescribePlain(shape);
}

void AppendActivation(dnnl::post_ops& ops, const Activation& activation) {
  using Algorithm = dnnl::algorithm;
  switch (activation.kind) {
    case ActivationKind::kNone:
      return;
    case ActivationKind::kRelu:
      return AppendEltwise(ops, Algorithm::eltwise_relu, 0, 0);
    case ActivationKind::kClip:
      return AppendEltwise(ops, Algorithm::eltwise_clip, activation.alpha, activation.beta);
    case ActivationKind::kHardSigmoid:
      AppendEltwise(ops, Algorithm::eltwise_linear, activation.alpha, activation.beta);
      return AppendEltwise(ops, Algorithm::eltwise_clip, 0, 1);
    case ActivationKind::kHardSwish:
      return AppendEltwise(ops, Algorithm::eltwise_hardswish, 1.0F / 6, 0.5F);
    case ActivationKind::kSigmoid:
      return AppendEltwise(ops, Algorithm::eltwise_logistic, 0, 0);
    case ActivationKind::kSilu:
      return AppendEltwise(ops, Algorithm::eltwise_swish, 1, 0);
  }
}

}  // namespace sparsify::onednn

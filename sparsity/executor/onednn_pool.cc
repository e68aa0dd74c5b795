#include <memory>

#include "sparsity/executor/onednn_kernel.h"
#include "sparsity/executor/onednn_steps.h"
#include "sparsity/executor/simplify.h"
#include "sparsity/ops/window.h"

namespace sparsify::onednn {
namespace {

using Dims = dnnl::memory::dims;

Window WholeImage(const Shape& pixels) {
  Window window;
  window.height = {.input = pixels[2], .output = 1, .kernel = pixels[2]};
  window.width = {.input = pixels[3], .output = 1, .kernel = pixels[3]};
  return window;
}

/// Padding behind the input so that the windows cover exactly what the outputs need.
int64_t EndPad(const WindowAxis& axis) {
  return (axis.output - 1) * axis.stride + axis.Extent() - axis.input - axis.pad_begin;
}

/// oneDNN's inclusive average divides by the whole window, ONNX's leaves out what lies past
/// the padded input.
bool SameAverage(const WindowAxis& axis) { return EndPad(axis) <= axis.pad_end; }

}  // namespace

KernelPtr MakePool(const FusedGraph& graph, const FusedStep& step,
                   const std::vector<Layout>& available) {
  const Shape& input = graph.shapes[static_cast<size_t>(step.inputs[0])];
  const Shape& output = graph.shapes[static_cast<size_t>(step.outputs[0])];
  const Shape pixels = PixelShape(input);
  Window window;
  auto algorithm = dnnl::algorithm::pooling_avg_exclude_padding;
  if (step.node.type == OpType::kGlobalAveragePool) {
    window = WholeImage(pixels);
  } else {
    const auto kernel = step.node.attributes.Ints("kernel_shape", {});
    window = ResolveWindow(step.node, pixels, kernel[0], kernel[1]);
    if (step.node.type == OpType::kMaxPool) {
      algorithm = dnnl::algorithm::pooling_max;
    } else if (step.node.attributes.Int("count_include_pad", 0) != 0) {
      if (!SameAverage(window.height) || !SameAverage(window.width)) return nullptr;
      algorithm = dnnl::algorithm::pooling_avg_include_padding;
    }
  }
  const WindowAxis& h = window.height;
  const WindowAxis& w = window.width;
  const auto src = FormatOf(available[0], input);
  const auto pd = PrimitiveDesc<Pooling>(
      UserScratchpad(), dnnl::prop_kind::forward_inference, algorithm, src, DescribeAny(output),
      Dims{h.stride, w.stride}, Dims{h.kernel, w.kernel}, Dims{h.dilation - 1, w.dilation - 1},
      Dims{h.pad_begin, w.pad_begin}, Dims{EndPad(h), EndPad(w)});
  if (IsReference(pd.impl_info_str())) return nullptr;
  auto kernel = std::make_unique<OnednnKernel>(Pooling(pd), pd.impl_info_str());
  kernel->AddInput(DNNL_ARG_SRC, pd.src_desc(), input);
  kernel->AddOutput(DNNL_ARG_DST, pd.dst_desc(), output);
  kernel->AddScratch(pd.scratchpad_desc());
  return kernel;
}

}  // namespace sparsify::onednn

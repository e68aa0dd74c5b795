#include <memory>

#include "sparsity/executor/onednn_kernel.h"
#include "sparsity/executor/onednn_steps.h"
#include "sparsity/executor/simplify.h"
#include "sparsity/ops/window.h"

namespace sparsify::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;
constexpr auto kF32 = dnnl::memory::data_type::f32;
constexpr auto kInference = dnnl::prop_kind::forward_inference;

dnnl::primitive_attr Epilogue(const FusedStep& step) {
  dnnl::post_ops ops;
  if (step.residual != kNoValue) ops.append_sum(1.0F);
  AppendActivation(ops, step.activation);
  dnnl::primitive_attr attributes = UserScratchpad();
  attributes.set_post_ops(ops);
  return attributes;
}

const Shape& ShapeOf(const FusedGraph& graph, ValueId id) {
  return graph.shapes[static_cast<size_t>(id)];
}

/// Binds everything but the weight's plain description, which `weight_plain` gives.
template <class Primitive>
KernelPtr Bind(const FusedGraph& graph, const FusedStep& step,
               const typename Primitive::primitive_desc& pd, const Desc& weight_plain) {
  if (IsReference(pd.impl_info_str())) return nullptr;
  auto kernel = std::make_unique<OnednnKernel>(Primitive(pd), pd.impl_info_str());
  kernel->AddInput(DNNL_ARG_SRC, pd.src_desc(), ShapeOf(graph, step.inputs[0]));
  kernel->AddConstant(DNNL_ARG_WEIGHTS, graph.graph.value(step.weight).data, weight_plain,
                      pd.weights_desc());
  if (step.bias != kNoValue) {
    kernel->AddConstant(DNNL_ARG_BIAS, graph.graph.value(step.bias).data, pd.bias_desc(),
                        pd.bias_desc());
  }
  const Shape& output = ShapeOf(graph, step.outputs[0]);
  if (step.residual != kNoValue) kernel->AddSharedInput(pd.dst_desc(), output);
  kernel->AddOutput(DNNL_ARG_DST, pd.dst_desc(), output);
  kernel->AddScratch(pd.scratchpad_desc());
  return kernel;
}

}  // namespace

KernelPtr MakeConvolution(const FusedGraph& graph, const FusedStep& step) {
  using Convolution = dnnl::convolution_forward;
  const Shape& input = ShapeOf(graph, step.inputs[0]);
  const Shape& weight = ShapeOf(graph, step.weight);
  const Shape pixels = PixelShape(input);
  const Window window = ResolveWindow(step.node, pixels, weight[2], weight[3]);
  const int64_t groups = step.node.attributes.Int("group", 1);
  Dims weight_dims = weight.dims();
  if (groups > 1) {
    weight_dims[0] /= groups;
    weight_dims.insert(weight_dims.begin(), groups);
  }
  const WindowAxis& h = window.height;
  const WindowAxis& w = window.width;
  const Dims strides = {h.stride, w.stride};
  const Dims dilates = {h.dilation - 1, w.dilation - 1};
  const Dims begin = {h.pad_begin, w.pad_begin};
  const Dims end = {h.pad_end, w.pad_end};
  const Desc src = DescribeAny(pixels);
  const Desc dst = DescribeAny(ShapeOf(graph, step.outputs[0]));
  const Desc weights(weight_dims, kF32, Tag::any);
  const auto algorithm =
      step.winograd ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct;
  const dnnl::primitive_attr attributes = Epilogue(step);
  const auto pd = step.bias == kNoValue
                      ? PrimitiveDesc<Convolution>(attributes, kInference, algorithm, src, weights,
                                                   dst, strides, dilates, begin, end)
                      : PrimitiveDesc<Convolution>(attributes, kInference, algorithm, src, weights,
                                                   Desc({weight[0]}, kF32, Tag::a), dst, strides,
                                                   dilates, begin, end);
  return Bind<Convolution>(graph, step, pd,
                           Desc(weight_dims, kF32, groups > 1 ? Tag::goihw : Tag::oihw));
}

KernelPtr MakeInnerProduct(const FusedGraph& graph, const FusedStep& step) {
  using InnerProduct = dnnl::inner_product_forward;
  const Shape& weight = ShapeOf(graph, step.weight);
  const Shape pixels = PixelShape(ShapeOf(graph, step.inputs[0]));
  const bool flat = pixels[2] == 1 && pixels[3] == 1;
  const Desc src = flat ? Desc({pixels[0], pixels[1]}, kF32, Tag::ab) : DescribeAny(pixels);
  Dims weight_dims = weight.dims();
  if (!flat) weight_dims = {weight[0], pixels[1], pixels[2], pixels[3]};
  const Desc weights(weight_dims, kF32, Tag::any);
  const Desc dst({pixels[0], weight[0]}, kF32, Tag::ab);
  const dnnl::primitive_attr attributes = Epilogue(step);
  const auto pd = step.bias == kNoValue
                      ? PrimitiveDesc<InnerProduct>(attributes, kInference, src, weights, dst)
                      : PrimitiveDesc<InnerProduct>(attributes, kInference, src, weights,
                                                    Desc({weight[0]}, kF32, Tag::a), dst);
  return Bind<InnerProduct>(graph, step, pd, Desc(weight_dims, kF32, flat ? Tag::ab : Tag::abcd));
}

}  // namespace sparsify::onednn

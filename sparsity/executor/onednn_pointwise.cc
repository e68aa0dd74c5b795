#include <memory>

#include "sparsity/executor/onednn_kernel.h"
#include "sparsity/executor/onednn_steps.h"
#include "sparsity/executor/simplify.h"

namespace sparsify::onednn {
namespace {

using Algorithm = dnnl::algorithm;
using Desc = dnnl::memory::desc;
constexpr auto kInference = dnnl::prop_kind::forward_inference;

const Shape& ShapeOf(const FusedGraph& graph, ValueId id) {
  return graph.shapes[static_cast<size_t>(id)];
}

dnnl::eltwise_forward::primitive_desc EltwiseDesc(const dnnl::primitive_attr& attributes,
                                                  Algorithm algorithm, const Desc& data,
                                                  float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
  return PrimitiveDesc<dnnl::eltwise_forward>(attributes, kInference, algorithm, data, data, alpha,
                                              beta);
#else
  return PrimitiveDesc<dnnl::eltwise_forward>(attributes, kInference, algorithm, data, alpha, beta);
#endif
}

dnnl::eltwise_forward::primitive_desc ActivationDesc(const Activation& activation,
                                                     const Desc& data) {
  dnnl::primitive_attr attributes = UserScratchpad();
  switch (activation.kind) {
    case ActivationKind::kNone:
      return EltwiseDesc(attributes, Algorithm::eltwise_linear, data, 1, 0);
    case ActivationKind::kRelu:
      return EltwiseDesc(attributes, Algorithm::eltwise_relu, data, 0, 0);
    case ActivationKind::kClip:
      return EltwiseDesc(attributes, Algorithm::eltwise_clip, data, activation.alpha,
                         activation.beta);
    case ActivationKind::kHardSigmoid: {
      dnnl::post_ops ops;
      AppendEltwise(ops, Algorithm::eltwise_clip, 0, 1);
      attributes.set_post_ops(ops);
      return EltwiseDesc(attributes, Algorithm::eltwise_linear, data, activation.alpha,
                         activation.beta);
    }
    case ActivationKind::kHardSwish:
      return EltwiseDesc(attributes, Algorithm::eltwise_hardswish, data, 1.0F / 6, 0.5F);
    case ActivationKind::kSigmoid:
      return EltwiseDesc(attributes, Algorithm::eltwise_logistic, data, 0, 0);
    case ActivationKind::kSilu:
      break;
  }
  return EltwiseDesc(attributes, Algorithm::eltwise_swish, data, 1, 0);
}

/// One operand, one output in the same format.
template <class Primitive>
KernelPtr BindUnary(const FusedGraph& graph, const FusedStep& step,
                    const typename Primitive::primitive_desc& pd) {
  if (IsReference(pd.impl_info_str())) return nullptr;
  auto kernel = std::make_unique<OnednnKernel>(Primitive(pd), pd.impl_info_str());
  kernel->AddInput(DNNL_ARG_SRC, pd.src_desc(), ShapeOf(graph, step.inputs[0]));
  kernel->AddOutput(DNNL_ARG_DST, pd.dst_desc(), ShapeOf(graph, step.outputs[0]));
  kernel->AddScratch(pd.scratchpad_desc());
  return kernel;
}

/// The second operand's format: the first's when the shapes agree, else the first's order.
Desc SecondFormat(const Layout& first, const Shape& first_shape, const Shape& second_shape) {
  using Tag = dnnl::memory::format_tag;
  const Desc format = FormatOf(first, first_shape);
  if (first_shape == second_shape) return format;
  for (Tag tag : {Tag::nChw16c, Tag::nChw8c, Tag::nChw4c, Tag::nhwc}) {
    if (format == Describe(first_shape, tag)) return Describe(second_shape, tag);
  }
  return DescribePlain(second_shape);
}

}  // namespace

KernelPtr MakeActivation(const FusedGraph& graph, const FusedStep& step,
                         const std::vector<Layout>& available) {
  const Shape& shape = ShapeOf(graph, step.inputs[0]);
  KernelPtr kernel = BindUnary<dnnl::eltwise_forward>(
      graph, step, ActivationDesc(step.activation, FormatOf(available[0], shape)));
  if (kernel != nullptr) static_cast<OnednnKernel&>(*kernel).AllowSharing();
  return kernel;
}

KernelPtr MakeBinary(const FusedGraph& graph, const FusedStep& step,
                     const std::vector<Layout>& available) {
  const Shape a = PixelShape(ShapeOf(graph, step.inputs[0]));
  const Shape b = PixelShape(ShapeOf(graph, step.inputs[1]));
  const Shape& output = ShapeOf(graph, step.outputs[0]);
  // oneDNN broadcasts its second operand only.
  const bool swapped = a != PixelShape(output);
  const Shape& full = swapped ? b : a;
  const Shape& other = swapped ? a : b;
  if (full != PixelShape(output) || full.rank() != other.rank()) return nullptr;
  const Layout& layout = available[swapped ? 1 : 0];
  const Desc first = FormatOf(layout, full);
  const Desc second = SecondFormat(layout, full, other);
  dnnl::post_ops ops;
  AppendActivation(ops, step.activation);
  dnnl::primitive_attr attributes = UserScratchpad();
  attributes.set_post_ops(ops);
  const auto algorithm =
      step.node.type == OpType::kAdd ? Algorithm::binary_add : Algorithm::binary_mul;
  const auto pd = PrimitiveDesc<dnnl::binary>(attributes, algorithm, first, second, first);
  if (IsReference(pd.impl_info_str())) return nullptr;
  auto kernel = std::make_unique<OnednnKernel>(dnnl::binary(pd), pd.impl_info_str());
  if (swapped) {
    kernel->AddInput(DNNL_ARG_SRC_1, pd.src1_desc(), other);
    kernel->AddInput(DNNL_ARG_SRC_0, pd.src0_desc(), full);
  } else {
    kernel->AddInput(DNNL_ARG_SRC_0, pd.src0_desc(), full);
    kernel->AddInput(DNNL_ARG_SRC_1, pd.src1_desc(), other);
    kernel->AllowSharing();
  }
  kernel->AddOutput(DNNL_ARG_DST, pd.dst_desc(), output);
  kernel->AddScratch(pd.scratchpad_desc());
  return kernel;
}

KernelPtr MakeConcat(const FusedGraph& graph, const FusedStep& step,
                     const std::vector<Layout>& available) {
  const auto axis = static_cast<int>(step.node.attributes.Int("axis", 1));
  std::vector<Desc> sources;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    sources.push_back(FormatOf(available[i], ShapeOf(graph, step.inputs[i])));
  }
  const Shape& output = ShapeOf(graph, step.outputs[0]);
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::concat::primitive_desc pd(Engine(), DescribeAny(output), axis, sources,
                                        UserScratchpad());
#else
  const dnnl::concat::primitive_desc pd(DescribeAny(output), axis, sources, Engine(),
                                        UserScratchpad());
#endif
  if (IsReference(pd.impl_info_str())) return nullptr;
  auto kernel = std::make_unique<OnednnKernel>(dnnl::concat(pd), pd.impl_info_str());
  for (size_t i = 0; i < sources.size(); ++i) {
    kernel->AddInput(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), sources[i],
                     ShapeOf(graph, step.inputs[i]));
  }
  kernel->AddOutput(DNNL_ARG_DST, pd.dst_desc(), output);
  kernel->AddScratch(pd.scratchpad_desc());
  return kernel;
}

KernelPtr MakeSoftmax(const FusedGraph& graph, const FusedStep& step,
                      const std::vector<Layout>& available) {
  const Shape& shape = ShapeOf(graph, step.inputs[0]);
  const Desc data = FormatOf(available[0], shape);
  const auto axis = static_cast<int>(step.node.attributes.Int("axis", 1));
  return BindUnary<Softmax>(graph, step,
                            PrimitiveDesc<Softmax>(UserScratchpad(), kInference,
                                                   Algorithm::softmax_accurate, data, data, axis));
}

KernelPtr MakeLrn(const FusedGraph& graph, const FusedStep& step,
                  const std::vector<Layout>& available) {
  using Lrn = dnnl::lrn_forward;
  const Attributes& a = step.node.attributes;
  const Desc data = FormatOf(available[0], ShapeOf(graph, step.inputs[0]));
  const auto alpha = static_cast<float>(a.Float("alpha", 1e-4));
  const auto beta = static_cast<float>(a.Float("beta", 0.75));
  const auto bias = static_cast<float>(a.Float("bias", 1.0));
  const dnnl::memory::dim size = a.Int("size", 5);
  // An even window lies one channel off ONNX's.
  if (size % 2 == 0) return nullptr;
#if DNNL_VERSION_MAJOR >= 3
  const auto pd = PrimitiveDesc<Lrn>(UserScratchpad(), kInference, Algorithm::lrn_across_channels,
                                     data, data, size, alpha, beta, bias);
#else
  const auto pd = PrimitiveDesc<Lrn>(UserScratchpad(), kInference, Algorithm::lrn_across_channels,
                                     data, size, alpha, beta, bias);
#endif
  return BindUnary<Lrn>(graph, step, pd);
}

}  // namespace sparsify::onednn

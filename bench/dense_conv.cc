#include "bench/dense_conv.h"

#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "bench/buffer.h"

namespace sparsify::bench {
namespace {

using dnnl::memory;

memory::desc Desc(const memory::dims& dims, memory::format_tag tag) {
  return {dims, memory::data_type::f32, tag};
}

}  // namespace

struct DenseConv::Impl {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::convolution_forward primitive;
  std::unordered_map<int, memory> arguments;
  memory::dims out_dims;
  std::vector<std::unique_ptr<Buffer>> buffers;

  memory Allocate(const memory::desc& desc) {
    buffers.push_back(std::make_unique<Buffer>(desc.get_size()));
    return {desc, engine, buffers.back()->data()};
  }
};

DenseConv::DenseConv(const ConvGeometry& g, const std::vector<float>& x,
                     const std::vector<float>& weight, const std::vector<float>& bias)
    : impl_(std::make_unique<Impl>()) {
  using Tag = memory::format_tag;
  const memory::dims in{g.batch, g.in_channels, g.in_h, g.in_w};
  memory::dims kernel{g.out_channels, g.in_channels / g.groups, g.kernel_h, g.kernel_w};
  if (g.groups > 1) {
    kernel[0] /= g.groups;
    kernel.insert(kernel.begin(), g.groups);
  }
  impl_->out_dims = {g.batch, g.out_channels, g.out_h, g.out_w};
  const auto in_any = Desc(in, Tag::any);
  const auto kernel_any = Desc(kernel, Tag::any);
  const auto bias_desc = Desc({g.out_channels}, Tag::x);
  const auto out_any = Desc(impl_->out_dims, Tag::any);
  const memory::dims strides{g.stride_h, g.stride_w};
  const memory::dims dilates{g.dilation_h - 1, g.dilation_w - 1};
  const memory::dims begin{g.pad_top, g.pad_left};
  const memory::dims end{g.pad_bottom, g.pad_right};
  dnnl::post_ops ops;
  dnnl::primitive_attr attributes;
  constexpr auto kForward = dnnl::prop_kind::forward_inference;
  constexpr auto kDirect = dnnl::algorithm::convolution_direct;
  constexpr auto kRelu = dnnl::algorithm::eltwise_relu;
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(kRelu, 0.0F, 0.0F);
  attributes.set_post_ops(ops);
  const dnnl::convolution_forward::primitive_desc desc(impl_->engine, kForward, kDirect, in_any,
                                                       kernel_any, bias_desc, out_any, strides,
                                                       dilates, begin, end, attributes);
#else
  ops.append_eltwise(1.0F, kRelu, 0.0F, 0.0F);
  attributes.set_post_ops(ops);
  const dnnl::convolution_forward::primitive_desc desc(
      {kForward, kDirect, in_any, kernel_any, bias_desc, out_any, strides, dilates, begin, end},
      attributes, impl_->engine);
#endif
  impl_->primitive = dnnl::convolution_forward(desc);
  name_ = desc.impl_info_str();
  const auto bring = [&](const memory::dims& dims, Tag tag, const std::vector<float>& from,
                         const memory::desc& to) {
    memory plain(Desc(dims, tag), impl_->engine, const_cast<float*>(from.data()));
    memory moved = impl_->Allocate(to);
    dnnl::reorder(plain, moved).execute(impl_->stream, plain, moved);
    impl_->stream.wait();
    return moved;
  };
  impl_->arguments = {{DNNL_ARG_SRC, bring(in, Tag::nchw, x, desc.src_desc())},
                      {DNNL_ARG_WEIGHTS, bring(kernel, g.groups > 1 ? Tag::goihw : Tag::oihw,
                                               weight, desc.weights_desc())},
                      {DNNL_ARG_BIAS, bring({g.out_channels}, Tag::x, bias, bias_desc)},
                      {DNNL_ARG_DST, impl_->Allocate(desc.dst_desc())}};
}

DenseConv::~DenseConv() = default;

void DenseConv::Run() {
  impl_->primitive.execute(impl_->stream, impl_->arguments);
  impl_->stream.wait();
}

std::vector<float> DenseConv::Plain() {
  int64_t count = 1;
  for (const int64_t dim : impl_->out_dims) count *= dim;
  std::vector<float> result(count);
  memory plain(Desc(impl_->out_dims, memory::format_tag::nchw), impl_->engine, result.data());
  memory& out = impl_->arguments.at(DNNL_ARG_DST);
  dnnl::reorder(out, plain).execute(impl_->stream, out, plain);
  impl_->stream.wait();
  return result;
}

}  // namespace sparsify::bench

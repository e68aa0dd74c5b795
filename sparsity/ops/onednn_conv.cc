#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <tuple>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/ops/channel_blocks.h"
#include "sparsity/ops/onednn.h"
#include "sparsity/ops/onednn_primitive.h"
#include "sparsity/ops/precision.h"

namespace sparsify {
namespace {

using plain_onednn::Bfloats;
using plain_onednn::Desc;
using plain_onednn::Dims;
using plain_onednn::Floats;
using plain_onednn::PlainPrimitive;
using plain_onednn::Tag;

constexpr size_t kMaxCachedPrimitives = 512;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;

enum class Pass { kForward, kGradInput, kGradWeight };

// 1×1, every position once, one group.
bool IsMatrixProduct(const ConvProblem& p) {
  const auto is_whole = [](const WindowAxis& axis) {
    return axis.kernel == 1 && axis.stride == 1 && axis.pad_begin == 0 && axis.pad_end == 0;
  };
  return p.groups == 1 && is_whole(p.window.height) && is_whole(p.window.width);
}

// The problem in oneDNN's terms.
struct Terms {
  explicit Terms(const ConvProblem& p);

  Dims strides, dilations, pads_begin, pads_end;
  Desc own_x, own_w, own_y;  // as the caller has them
  Desc any_x, any_w, any_y;  // as they may be computed with
  Desc out_x, out_w, out_y;  // as they may be computed: f32 in any case
  Desc bias;
};

Terms::Terms(const ConvProblem& p) {
  const WindowAxis& h = p.window.height;
  const WindowAxis& w = p.window.width;
  const Dims x_dims = {p.batch, p.in_channels, h.input, w.input};
  const Dims y_dims = {p.batch, p.out_channels, h.output, w.output};
  const bool grouped = p.groups > 1;
  const Dims w_dims = grouped ? Dims{p.groups, p.out_channels / p.groups, p.in_channels / p.groups,
                                     h.kernel, w.kernel}
                              : Dims{p.out_channels, p.in_channels, h.kernel, w.kernel};
  strides = {h.stride, w.stride};
  dilations = {h.dilation - 1, w.dilation - 1};
  pads_begin = {h.pad_begin, w.pad_begin};
  pads_end = {h.pad_end, w.pad_end};
  own_x = Floats(x_dims, p.x_blocked ? Tag::aBcd16b : Tag::nchw);
  own_w = Floats(w_dims, grouped ? Tag::goihw : Tag::oihw);
  own_y = Floats(y_dims, p.y_blocked ? Tag::aBcd16b : Tag::nchw);
  // A 1×1 convolution is a matrix product of plain memory already; reordering its activations
  // costs as much time as computing them.
  const bool as_is = IsMatrixProduct(p) && p.x_blocked == p.y_blocked;
  any_x = as_is || p.x_blocked ? own_x : Floats(x_dims, Tag::any);
  any_w = Floats(w_dims, Tag::any);
  any_y = as_is || p.y_blocked ? own_y : Floats(y_dims, Tag::any);
  out_x = any_x;
  out_w = any_w;
  out_y = any_y;
  if (p.bf16) {  // whose fast kernels want channels last, blocked or not
    out_x = Floats(x_dims, Tag::any);
    out_y = Floats(y_dims, Tag::any);
    any_x = Bfloats(x_dims);
    any_w = Bfloats(w_dims);
    any_y = Bfloats(y_dims);
  }
  if (p.has_bias) bias = Floats({p.out_channels}, Tag::a);
}

dnnl::convolution_forward::primitive_desc DescribeForward(const Terms& t, dnnl::prop_kind kind) {
  return plain_onednn::Describe<dnnl::convolution_forward>(
      kind, kDirect, t.any_x, t.any_w, t.any_y, t.strides, t.dilations, t.pads_begin, t.pads_end);
}

dnnl::convolution_backward_weights::primitive_desc DescribeGradWeight(const Terms& t) {
  return plain_onednn::DescribeGradient<dnnl::convolution_backward_weights>(
      DescribeForward(t, dnnl::prop_kind::forward_training), kDirect, t.any_x, t.out_w, t.any_y,
      t.strides, t.dilations, t.pads_begin, t.pads_end);
}

dnnl::convolution_forward::primitive_desc DescribeInference(const ConvProblem& p, const Terms& t,
                                                            const Desc& x, const Desc& y) {
  const auto kind = dnnl::prop_kind::forward_inference;
  if (p.has_bias) {
    return plain_onednn::Describe<dnnl::convolution_forward>(
        kind, kDirect, x, t.any_w, t.bias, y, t.strides, t.dilations, t.pads_begin, t.pads_end);
  }
  return plain_onednn::Describe<dnnl::convolution_forward>(kind, kDirect, x, t.any_w, y, t.strides,
                                                           t.dilations, t.pads_begin, t.pads_end);
}

// Made for this machine, rather than for all.
template <class Description>
bool IsFast(const Description& description) {
  return std::string_view(description.impl_info_str()).starts_with("jit");
}

// What computes y fastest may want channels last. Where there are kernels for it, y is computed in
// the channel blocks of the gradients: as fast, and plain memory is reordered in half the time.
dnnl::convolution_forward::primitive_desc DescribeInference(const ConvProblem& p, const Terms& t) {
  if (!p.bf16 && !IsMatrixProduct(p) && !p.x_blocked && !p.y_blocked) {
    try {
      const auto gradient = DescribeGradWeight(t);
      const auto blocked = DescribeInference(p, t, gradient.src_desc(), gradient.diff_dst_desc());
      if (IsFast(blocked)) return blocked;
    } catch (const dnnl::error&) {  // no such kernel
    }
  }
  return DescribeInference(p, t, t.any_x, t.out_y);
}

PlainPrimitive MakeForward(const ConvProblem& p) {
  const Terms t(p);
  const auto described = DescribeInference(p, t);
  PlainPrimitive made(dnnl::convolution_forward(described), described.scratchpad_desc());
  made.BindInput(DNNL_ARG_SRC, t.own_x, described.src_desc());
  made.BindInput(DNNL_ARG_WEIGHTS, t.own_w, described.weights_desc());
  made.BindOutput(DNNL_ARG_DST, t.own_y, described.dst_desc());
  if (p.has_bias) made.BindInput(DNNL_ARG_BIAS, t.bias, t.bias);
  return made;
}

dnnl::convolution_backward_data::primitive_desc DescribeGradInput(const Terms& t) {
  return plain_onednn::DescribeGradient<dnnl::convolution_backward_data>(
      DescribeForward(t, dnnl::prop_kind::forward_training), kDirect, t.out_x, t.any_w, t.any_y,
      t.strides, t.dilations, t.pads_begin, t.pads_end);
}

PlainPrimitive MakeGradInput(const ConvProblem& p) {
  const Terms t(p);
  const auto described = DescribeGradInput(t);
  PlainPrimitive made(dnnl::convolution_backward_data(described), described.scratchpad_desc());
  made.BindInput(DNNL_ARG_WEIGHTS, t.own_w, described.weights_desc());
  made.BindInput(DNNL_ARG_DIFF_DST, t.own_y, described.diff_dst_desc());
  made.BindOutput(DNNL_ARG_DIFF_SRC, t.own_x, described.diff_src_desc());
  return made;
}

PlainPrimitive MakeGradWeight(const ConvProblem& p) {
  const Terms t(p);
  const auto described = DescribeGradWeight(t);
  PlainPrimitive made(dnnl::convolution_backward_weights(described), described.scratchpad_desc());
  made.BindInput(DNNL_ARG_SRC, t.own_x, described.src_desc());
  made.BindInput(DNNL_ARG_DIFF_DST, t.own_y, described.diff_dst_desc());
  made.BindOutput(DNNL_ARG_DIFF_WEIGHTS, t.own_w, described.diff_weights_desc());
  return made;
}

PlainPrimitive Make(Pass pass, const ConvProblem& problem) {
  switch (pass) {
    case Pass::kGradInput:
      return MakeGradInput(problem);
    case Pass::kGradWeight:
      return MakeGradWeight(problem);
    case Pass::kForward:
      break;
  }
  return MakeForward(problem);
}

std::shared_ptr<const PlainPrimitive> Cached(Pass pass, const ConvProblem& problem) {
  using Key = std::tuple<Pass, ConvProblem, int>;
  static std::mutex mutex;
  static std::map<Key, std::shared_ptr<const PlainPrimitive>> cache;
  const std::scoped_lock lock(mutex);
  const Key key(pass, problem, Threads());
  if (const auto it = cache.find(key); it != cache.end()) return it->second;
  if (cache.size() >= kMaxCachedPrimitives) cache.clear();
  return cache.emplace(key, std::make_shared<const PlainPrimitive>(Make(pass, problem)))
      .first->second;
}

template <class Body>
void Naming(const Body& body) {
  try {
    body();
  } catch (const dnnl::error& error) {
    Fail("oneDNN", "convolution failed: {} (status {})", error.what(),
         static_cast<int>(error.status));
  }
}

ConvProblem WithoutBias(ConvProblem problem) {
  problem.has_bias = false;
  return problem;
}

// The gradient of images, which have few channels, is seldom wanted.
bool FindBlockedKernels(const ConvProblem& p) {
  try {
    const Terms t(p);
    return IsFast(DescribeInference(p, t)) &&
           (p.in_channels < kChannelBlock || IsFast(DescribeGradInput(t)));
  } catch (const dnnl::error&) {
    return false;
  }
}

bool FindBlockedGradWeight(const ConvProblem& p) {
  try {
    return IsFast(DescribeGradWeight(Terms(p)));
  } catch (const dnnl::error&) {
    return false;
  }
}

// What oneDNN uses of this processor, as far as it matters here. Sets of instructions are bits.
bool Has(dnnl::cpu_isa isa) {
  const auto wanted = static_cast<unsigned>(isa);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
}

// Where there is AMX, kernels without it are slower than those for f32.
template <class Description>
bool IsFastBf16(const Description& description) {
  const std::string_view wanted = Has(dnnl::cpu_isa::avx512_core_amx) ? "amx" : "bf16";
  const std::string_view name = description.impl_info_str();
  return (name.starts_with("jit") || name.starts_with("brg")) &&
         name.find(wanted) != std::string_view::npos;
}

bool FindBf16Kernels(const ConvProblem& p) {
  if (!Bf16Obstacle().empty()) return false;
  try {
    const Terms t(p);
    return IsFastBf16(DescribeInference(p, t)) && IsFastBf16(DescribeGradWeight(t)) &&
           IsFastBf16(DescribeGradInput(t));
  } catch (const dnnl::error&) {
    return false;
  }
}

// find(problem), remembered.
class Known {
 public:
  bool Find(const ConvProblem& problem, bool (*find)(const ConvProblem&)) {
    const std::scoped_lock lock(mutex_);
    if (const auto it = known_.find(problem); it != known_.end()) return it->second;
    if (known_.size() >= kMaxCachedPrimitives) known_.clear();
    return known_.emplace(problem, find(problem)).first->second;
  }

 private:
  std::mutex mutex_;
  std::map<ConvProblem, bool> known_;
};

}  // namespace

std::string Bf16Obstacle() {
  if (Has(dnnl::cpu_isa::avx512_core_bf16)) return "";
  return "the processor has neither AVX512_BF16 nor AMX, or oneDNN may not use them";
}

bool OnednnConvTakesBlocks(const ConvProblem& problem) {
  static Known known;
  return known.Find(problem, FindBlockedKernels);
}

bool OnednnGradWeightTakesBlocks(const ConvProblem& problem) {
  static Known known;
  return known.Find(problem, FindBlockedGradWeight);
}

bool OnednnHasBf16Kernels(const ConvProblem& problem) {
  static Known known;
  return known.Find(problem, FindBf16Kernels);
}

void OnednnConv(const ConvProblem& problem, const float* x, const float* w, const float* bias,
                float* y) {
  std::vector<const float*> data = {x, w, y};
  if (bias != nullptr) data.push_back(bias);
  Naming([&] { Cached(Pass::kForward, problem)->Run(data); });
}

void OnednnConvGradients(const ConvProblem& problem, const float* x, const float* w,
                         const float* grad_y, float* grad_x, float* grad_w) {
  Naming([&] {
    const ConvProblem p = WithoutBias(problem);
    const auto input = grad_x == nullptr ? nullptr : Cached(Pass::kGradInput, p);
    const auto weight = grad_w == nullptr ? nullptr : Cached(Pass::kGradWeight, p);
    plain_onednn::Lent lent;  // grad_y in the layout that both want
    if (input != nullptr && weight != nullptr) {
      lent = input->Share(DNNL_ARG_DIFF_DST, *weight, grad_y);
    }
    if (input != nullptr) input->Run({w, grad_y, grad_x}, lent);
    if (weight != nullptr) weight->Run({x, grad_y, grad_w}, lent);
  });
}

}  // namespace sparsify

#include "sparsity/ops/onednn.h"

#include <algorithm>
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {
namespace {

using Tag = dnnl::memory::format_tag;
using Dims = dnnl::memory::dims;
using Desc = dnnl::memory::desc;

constexpr size_t kMaxCachedPrimitives = 512;
constexpr size_t kAlignment = 64;

const dnnl::engine& Engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// 2.x describes an operation first and binds it to an engine second; 3.x does both at once.
template <class Primitive, class... Args>
typename Primitive::primitive_desc Describe(const dnnl::primitive_attr& attributes,
                                            const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(Engine(), args..., attributes);
#else
  return
      typename Primitive::primitive_desc(typename Primitive::desc(args...), attributes, Engine());
#endif
}

dnnl::primitive_attr UserScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

// Hands out aligned pieces of one buffer a thread keeps between calls.
class Scratch {
 public:
  explicit Scratch(size_t bytes) {
    thread_local Tensor buffer;
    buffer.Resize(Shape{static_cast<int64_t>(bytes / sizeof(float))});
    next_ = reinterpret_cast<char*>(buffer.data());
  }
  static size_t Round(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
  void* Take(size_t bytes) { return std::exchange(next_, next_ + Round(bytes)); }

 private:
  char* next_ = nullptr;
};

class Convolution {
 public:
  explicit Convolution(const ConvProblem& p);
  void Run(const float* x, const float* w, const float* bias, float* y) const;

 private:
  // A tensor in plain layout and in the one the primitive wants; `reorder` if they differ.
  struct Port {
    Desc plain;
    Desc wanted;
    std::optional<dnnl::reorder> reorder;

    size_t ScratchBytes() const { return reorder ? Scratch::Round(wanted.get_size()) : 0; }
  };
  static Port MakeInput(const Desc& plain, const Desc& wanted);
  static dnnl::memory Fetch(const Port& port, const float* data, Scratch& scratch,
                            dnnl::stream& stream);

  Port x_, w_, y_;
  Desc bias_;
  Desc scratchpad_;
  dnnl::convolution_forward primitive_;
};

Desc Plain(const Dims& dims, Tag tag) { return {dims, dnnl::memory::data_type::f32, tag}; }

Convolution::Port Convolution::MakeInput(const Desc& plain, const Desc& wanted) {
  Port port{plain, wanted, std::nullopt};
  if (wanted != plain) {
    port.reorder.emplace(dnnl::reorder::primitive_desc(Engine(), plain, Engine(), wanted));
  }
  return port;
}

Convolution::Convolution(const ConvProblem& p) {
  const WindowAxis& h = p.window.height;
  const WindowAxis& w = p.window.width;
  const Dims x_dims = {p.batch, p.in_channels, h.input, w.input};
  const Dims y_dims = {p.batch, p.out_channels, h.output, w.output};
  const bool grouped = p.groups > 1;
  const Dims w_dims = grouped ? Dims{p.groups, p.out_channels / p.groups, p.in_channels / p.groups,
                                     h.kernel, w.kernel}
                              : Dims{p.out_channels, p.in_channels, h.kernel, w.kernel};
  const Dims strides = {h.stride, w.stride};
  const Dims dilations = {h.dilation - 1, w.dilation - 1};
  const Dims pads_begin = {h.pad_begin, w.pad_begin};
  const Dims pads_end = {h.pad_end, w.pad_end};
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const Desc x_any = Plain(x_dims, Tag::any);
  const Desc w_any = Plain(w_dims, Tag::any);
  const Desc y_any = Plain(y_dims, Tag::any);
  if (p.has_bias) bias_ = Plain({p.out_channels}, Tag::a);
  const auto described =
      p.has_bias
          ? Describe<dnnl::convolution_forward>(UserScratchpad(), kind, algorithm, x_any, w_any,
                                                bias_, y_any, strides, dilations, pads_begin,
                                                pads_end)
          : Describe<dnnl::convolution_forward>(UserScratchpad(), kind, algorithm, x_any, w_any,
                                                y_any, strides, dilations, pads_begin, pads_end);
  primitive_ = dnnl::convolution_forward(described);
  scratchpad_ = described.scratchpad_desc();
  x_ = MakeInput(Plain(x_dims, Tag::nchw), described.src_desc());
  w_ = MakeInput(Plain(w_dims, grouped ? Tag::goihw : Tag::oihw), described.weights_desc());
  y_ = {Plain(y_dims, Tag::nchw), described.dst_desc(), std::nullopt};
  if (y_.wanted != y_.plain) {
    y_.reorder.emplace(dnnl::reorder::primitive_desc(Engine(), y_.wanted, Engine(), y_.plain));
  }
}

dnnl::memory Wrap(const Desc& desc, const float* data) {
  return {desc, Engine(), const_cast<float*>(data)};  // oneDNN takes inputs as void*
}

dnnl::memory Convolution::Fetch(const Port& port, const float* data, Scratch& scratch,
                                dnnl::stream& stream) {
  dnnl::memory plain = Wrap(port.plain, data);
  if (!port.reorder) return plain;
  dnnl::memory wanted(port.wanted, Engine(), scratch.Take(port.wanted.get_size()));
  port.reorder->execute(stream, plain, wanted);
  return wanted;
}

void Convolution::Run(const float* x, const float* w, const float* bias, float* y) const {
  thread_local dnnl::stream stream(Engine());
  Scratch scratch(x_.ScratchBytes() + w_.ScratchBytes() + y_.ScratchBytes() +
                  Scratch::Round(scratchpad_.get_size()));
  dnnl::memory plain_y = Wrap(y_.plain, y);
  dnnl::memory wanted_y =
      y_.reorder ? dnnl::memory(y_.wanted, Engine(), scratch.Take(y_.wanted.get_size())) : plain_y;
  std::unordered_map<int, dnnl::memory> arguments = {
      {DNNL_ARG_SRC, Fetch(x_, x, scratch, stream)},
      {DNNL_ARG_WEIGHTS, Fetch(w_, w, scratch, stream)},
      {DNNL_ARG_DST, wanted_y},
      {DNNL_ARG_SCRATCHPAD,
       dnnl::memory(scratchpad_, Engine(), scratch.Take(scratchpad_.get_size()))}};
  if (bias != nullptr) arguments.insert({DNNL_ARG_BIAS, Wrap(bias_, bias)});
  primitive_.execute(stream, arguments);
  if (y_.reorder) y_.reorder->execute(stream, wanted_y, plain_y);
  stream.wait();
}

std::shared_ptr<const Convolution> CachedConvolution(const ConvProblem& problem) {
  static std::mutex mutex;
  static std::map<std::pair<ConvProblem, int>, std::shared_ptr<const Convolution>> cache;
  const std::scoped_lock lock(mutex);
  const std::pair key(problem, Threads());
  if (const auto it = cache.find(key); it != cache.end()) return it->second;
  if (cache.size() >= kMaxCachedPrimitives) cache.clear();
  return cache.emplace(key, std::make_shared<const Convolution>(problem)).first->second;
}

}  // namespace

void OnednnConv(const ConvProblem& problem, const float* x, const float* w, const float* bias,
                float* y) {
  try {
    CachedConvolution(problem)->Run(x, w, bias, y);
  } catch (const dnnl::error& error) {
    Fail("oneDNN", "convolution failed: {} (status {})", error.what(),
         static_cast<int>(error.status));
  }
}

void OnednnGemm(const GemmProblem& p, const float* a, const float* b, float* c) {
  const int64_t lda = p.transpose_a ? p.m : p.k;
  const int64_t ldb = p.transpose_b ? p.k : p.n;
  const auto status = dnnl::sgemm(p.transpose_a ? 'T' : 'N', p.transpose_b ? 'T' : 'N', p.m, p.n,
                                  p.k, p.alpha, a, lda, b, ldb, p.beta, c, p.n);
  if (status != dnnl::status::success) {
    Fail("oneDNN", "matrix product of {}x{}x{} failed (status {})", p.m, p.n, p.k,
         static_cast<int>(status));
  }
}

std::string OnednnVersion() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace sparsify

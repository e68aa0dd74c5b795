// A oneDNN primitive behind plain row-major memory. Private to the files that use oneDNN.
#pragma once

#include <dnnl.hpp>
#include <optional>
#include <vector>

namespace sparsify::plain_onednn {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;

const dnnl::engine& Engine();

/// The primitive keeps no memory of its own, so that several threads may run it.
dnnl::primitive_attr UserScratchpad();

/// Single-precision memory; Tag::any leaves the layout to the primitive.
inline Desc Floats(const Dims& dims, Tag tag) { return {dims, dnnl::memory::data_type::f32, tag}; }

/// bfloat16 numbers in the layout that the primitive likes best.
inline Desc Bfloats(const Dims& dims) { return {dims, dnnl::memory::data_type::bf16, Tag::any}; }

// 2.x describes an operation first and binds it to an engine second; 3.x does both at once.
template <class Primitive, class... Args>
typename Primitive::primitive_desc Describe(const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(Engine(), args..., UserScratchpad());
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), UserScratchpad(),
                                            Engine());
#endif
}

/// The same for a gradient, which is described after its forward computation.
template <class Primitive, class... Args>
typename Primitive::primitive_desc DescribeGradient(
    const dnnl::convolution_forward::primitive_desc& forward, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(Engine(), args..., forward, UserScratchpad());
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), UserScratchpad(),
                                            Engine(), forward);
#endif
}

/// An input in the layout, and of the type, that a primitive prefers.
struct Lent {
  int id = 0;
  const void* data = nullptr;  // null: nothing is lent
};

/// Reorders between the caller's plain f32 memory and the layout and type the primitive prefers.
class PlainPrimitive {
 public:
  PlainPrimitive(const dnnl::primitive& primitive, const Desc& scratchpad)
      : primitive_(primitive), scratchpad_(scratchpad) {}

  /// Adds an argument (DNNL_ARG_…); Run takes the pointers in the order of these calls.
  void BindInput(int id, const Desc& plain, const Desc& preferred);
  void BindOutput(int id, const Desc& plain, const Desc& preferred);

  /// Inputs are only read; `lent` stands for the input of its id.
  void Run(const std::vector<const float*>& data, const Lent& lent = {}) const;

  /// Reorders input `id` once for this primitive and `other`, if both want it in one layout that
  /// is not the plain one; else lends nothing. Valid until the thread's next Share.
  Lent Share(int id, const PlainPrimitive& other, const float* plain) const;

 private:
  struct Argument {
    int id;
    bool is_output;
    Desc plain;
    Desc preferred;
    std::optional<dnnl::reorder> reorder;  // if the layouts differ
  };

  const Argument& Find(int id) const;

  dnnl::primitive primitive_;
  Desc scratchpad_;
  std::vector<Argument> arguments_;
};

}  // namespace sparsify::plain_onednn

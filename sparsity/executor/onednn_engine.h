// The executor's door to oneDNN, 2.6 and 3.x: engine, stream, instruction set limit, and
// one way to describe a primitive.
#pragma once

#include <dnnl.hpp>
#include <string>
#include <string_view>

#include "sparsity/executor/isa.h"
#include "sparsity/tensor/shape.h"

namespace sparsify::onednn {

const dnnl::engine& Engine();
const dnnl::stream& Stream();

/// Keeps oneDNN to `isa`. It takes effect once, before the process makes its first primitive;
/// throws a usage error when that has happened and oneDNN may use more than `isa` allows.
/// (oneDNN's own least is SSE 4.1.)
void LimitIsa(Isa isa);

/// f32 memory of PixelShape(shape) in the given order; shapes of other ranks are row-major.
dnnl::memory::desc Describe(const Shape& shape, dnnl::memory::format_tag tag);
dnnl::memory::desc DescribePlain(const Shape& shape);
/// As above, the order left to the primitive.
dnnl::memory::desc DescribeAny(const Shape& shape);

/// Whether the implementation is oneDNN's unoptimised reference.
bool IsReference(std::string_view implementation);

// 2.x describes an operation first and binds it to an engine second; 3.x does both at once.
template <class Primitive, class... Args>
typename Primitive::primitive_desc PrimitiveDesc(const dnnl::primitive_attr& attributes,
                                                 const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(Engine(), args..., attributes);
#else
  return
      typename Primitive::primitive_desc(typename Primitive::desc(args...), attributes, Engine());
#endif
}

#if DNNL_VERSION_MAJOR >= 3
using Pooling = dnnl::pooling_forward;
using Softmax = dnnl::softmax_forward;
#else
using Pooling = dnnl::pooling_v2_forward;
using Softmax = dnnl::softmax_v2_forward;
#endif

inline void AppendEltwise(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, alpha, beta);
#else
  ops.append_eltwise(1.0F, algorithm, alpha, beta);
#endif
}

/// Attributes with the scratchpad handed in by the caller.
dnnl::primitive_attr UserScratchpad();

}  // namespace sparsify::onednn

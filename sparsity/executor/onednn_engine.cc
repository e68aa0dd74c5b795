#include "sparsity/executor/onednn_engine.h"

#include "sparsity/base/error.h"
#include "sparsity/executor/simplify.h"

namespace sparsify::onednn {
namespace {

dnnl::cpu_isa LimitFor(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return dnnl::cpu_isa::sse41;
    case Isa::kAvx2:
      return dnnl::cpu_isa::avx2;
    case Isa::kAvx512:
      break;
  }
  return dnnl::cpu_isa::avx512_core;
}

/// Whether code that oneDNN would pick now stays within `isa`.
bool StaysWithin(Isa isa) {
  const dnnl::cpu_isa effective = dnnl::get_effective_cpu_isa();
  if (effective == dnnl::cpu_isa::sse41) return true;
  if (effective == dnnl::cpu_isa::avx || effective == dnnl::cpu_isa::avx2) {
    return isa != Isa::kScalar;
  }
  return isa == Isa::kAvx512;
}

}  // namespace

const dnnl::engine& Engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

const dnnl::stream& Stream() {
  // One a thread: nothing says that a stream may be used by several at once.
  thread_local const dnnl::stream stream(Engine());
  return stream;
}

void LimitIsa(Isa isa) {
  // Above AVX-512 there is nothing that f32 would use.
  if (isa == Isa::kAvx512) return;
  const dnnl::status status = dnnl::set_max_cpu_isa(LimitFor(isa));
  if (status == dnnl::status::success || StaysWithin(isa)) return;
  FailUsage("SPARSIFY_FORCE_ISA",
            "oneDNN already runs with more than {}; detect the instruction set before the first "
            "primitive is made",
            IsaName(isa));
}

dnnl::memory::desc Describe(const Shape& shape, dnnl::memory::format_tag tag) {
  return {PixelShape(shape).dims(), dnnl::memory::data_type::f32, tag};
}

dnnl::memory::desc DescribePlain(const Shape& shape) {
  using Tag = dnnl::memory::format_tag;
  switch (PixelShape(shape).rank()) {
    case 1:
      return Describe(shape, Tag::a);
    case 3:
      return Describe(shape, Tag::abc);
    case 4:
      return Describe(shape, Tag::abcd);
    case 5:
      return Describe(shape, Tag::abcde);
    default:
      return Describe(Shape{shape.NumElements()}, Tag::a);
  }
}

dnnl::memory::desc DescribeAny(const Shape& shape) {
  return Describe(shape, dnnl::memory::format_tag::any);
}

bool IsReference(std::string_view implementation) { return implementation.starts_with("ref"); }

dnnl::primitive_attr UserScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

}  // namespace sparsify::onednn

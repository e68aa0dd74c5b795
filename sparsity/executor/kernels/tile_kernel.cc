#include "sparsity/executor/kernels/tile_kernel.h"

#include "sparsity/base/error.h"
#if defined(SPARSIFY_X86)
#include "sparsity/executor/jit/jit_tile_kernel.h"
#endif
#include "sparsity/executor/kernels/portable_tile_kernel.h"

namespace sparsify {
namespace {

constexpr int kMaxPatternBits = 6;

const char* Name(Isa isa) {
  if (isa == Isa::kAvx512) return "avx512";
  return isa == Isa::kAvx2 ? "avx2" : "scalar";
}

}  // namespace

bool FitsRegisters(Isa isa, int rows, int taps, int vectors) {
  const int accumulators = rows * vectors;
  if (isa == Isa::kAvx512) return accumulators <= 28;
  if (isa == Isa::kAvx2) return accumulators <= 12 && accumulators + rows * taps < 16;
  return accumulators <= 32;
}

std::unique_ptr<TileKernel> MakeTileKernel(const TileKernelSpec& spec, Isa isa) {
  const int vectors = static_cast<int>(spec.vectors.size());
  if (vectors < 1 || !FitsRegisters(isa, spec.rows, spec.taps, vectors)) {
    Fail("sparse convolution", "a tile of {}x{} vectors does not fit the registers of {}",
         spec.rows, vectors, Name(isa));
  }
  if (!spec.dense && spec.bits() > kMaxPatternBits) {
    Fail("sparse convolution", "{} rows of {} taps, expected at most {} together", spec.rows,
         spec.taps, kMaxPatternBits);
  }
#if defined(SPARSIFY_X86)
  if (isa != Isa::kScalar) return MakeJitTileKernel(spec, isa);
#endif
  return MakePortableTileKernel(spec);
}

}  // namespace sparsify

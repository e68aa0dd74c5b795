// The tile kernel as generated code: registers, patterns, strides and epilogue of one
// specification become straight instructions; offsets and values are streamed.
#pragma once

#include <memory>

#include "sparsity/executor/kernels/tile_kernel.h"

namespace sparsify {

/// isa: kAvx2 (vectors of 8 floats) or kAvx512 (of 16). Throws Error when the tile does not
/// fit the registers.
std::unique_ptr<TileKernel> MakeJitTileKernel(const TileKernelSpec& spec, Isa isa);

}  // namespace sparsify

// The tile kernel in plain C++, for processors without vector extensions known here.
#pragma once

#include <memory>

#include "sparsity/executor/kernels/tile_kernel.h"

namespace sparsify {

/// At most 32 accumulator vectors of at most 16 floats.
std::unique_ptr<TileKernel> MakePortableTileKernel(const TileKernelSpec& spec);

}  // namespace sparsify

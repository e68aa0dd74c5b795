// Tile packing: the compilation for avx512.
#include <immintrin.h>

#define SPARSIFY_PACK_TILE PackTileAvx512
#include "sparsity/executor/kernels/tile_packer.inc"

// Tile packing: the compilation for avx2.
#include <immintrin.h>

#define SPARSIFY_PACK_TILE PackTileAvx2
#include "sparsity/executor/kernels/tile_packer.inc"

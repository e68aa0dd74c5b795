// Tile packing: the compilation for scalar.

#define SPARSIFY_PACK_TILE PackTileScalar
#include "sparsity/executor/kernels/tile_packer.inc"

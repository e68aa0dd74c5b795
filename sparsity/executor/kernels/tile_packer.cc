#include "sparsity/executor/kernels/tile_packer.h"

namespace sparsify {

int64_t PackRows(const TilePlan& plan) { return plan.slot_rows * plan.form.parts; }

PackFunction TilePacker(Isa isa) {
#if defined(SPARSIFY_X86)
  if (isa == Isa::kAvx512) return PackTileAvx512;
  if (isa == Isa::kAvx2) return PackTileAvx2;
#endif
  (void)isa;
  return PackTileScalar;
}

}  // namespace sparsify

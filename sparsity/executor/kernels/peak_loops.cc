#include "sparsity/executor/kernels/peak_loops.h"

namespace sparsify {

const PeakLoops& PeakLoopsFor(Isa isa) {
#if defined(SPARSIFY_X86)
  if (isa == Isa::kAvx512) return kPeakLoopsAvx512;
  if (isa == Isa::kAvx2) return kPeakLoopsAvx2;
#endif
  (void)isa;
  return kPeakLoopsScalar;
}

}  // namespace sparsify

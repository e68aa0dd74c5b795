// The loops of a machine's peaks: the compilation for avx2.

#define SPARSIFY_PEAK_LOOPS kPeakLoopsAvx2
#define SPARSIFY_PEAK_BYTES 32
#include "sparsity/executor/kernels/peak_loops.inc"

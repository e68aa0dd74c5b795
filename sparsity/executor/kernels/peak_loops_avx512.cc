// The loops of a machine's peaks: the compilation for avx512.

#define SPARSIFY_PEAK_LOOPS kPeakLoopsAvx512
#define SPARSIFY_PEAK_BYTES 64
#include "sparsity/executor/kernels/peak_loops.inc"

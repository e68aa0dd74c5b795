// The loops of a machine's peaks: the compilation for scalar.

#define SPARSIFY_PEAK_LOOPS kPeakLoopsScalar
#define SPARSIFY_PEAK_BYTES 16
#include "sparsity/executor/kernels/peak_loops.inc"

// The lane operators: the compilation for avx2.
#include <immintrin.h>

#define SPARSIFY_LANE_KERNELS kLaneKernelsAvx2
#include "sparsity/executor/kernels/lane_kernels.inc"

// The lane operators: the compilation for avx512.
#include <immintrin.h>

#define SPARSIFY_LANE_KERNELS kLaneKernelsAvx512
#include "sparsity/executor/kernels/lane_kernels.inc"

// The lane operators: the compilation for scalar.

#define SPARSIFY_LANE_KERNELS kLaneKernelsScalar
#include "sparsity/executor/kernels/lane_kernels.inc"

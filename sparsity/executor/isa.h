// The instruction set a plan is built for: detected once, or forced by the environment.
#pragma once

#include <string_view>

namespace sparsify {

enum class Isa { kScalar, kAvx2, kAvx512 };

/// "scalar", "avx2" (with FMA), "avx512" (F, BW, DQ, VL).
std::string_view IsaName(Isa isa);

/// Whether this processor and operating system run `isa`.
bool IsaSupported(Isa isa);

/// The best supported here, or what SPARSIFY_FORCE_ISA names (scalar, avx2, avx512);
/// throws a usage error when the forced one is unknown or unsupported by this processor.
Isa DetectIsa();

}  // namespace sparsify

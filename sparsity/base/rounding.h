// Integer division that rounds up, and multiples.
#pragma once

#include <cstdint>

namespace sparsify {

/// ⌈a / b⌉ of a ≥ 0 and b > 0.
constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The least multiple of `unit` that is not below `value` ≥ 0.
constexpr int64_t RoundUp(int64_t value, int64_t unit) { return CeilDiv(value, unit) * unit; }

}  // namespace sparsify

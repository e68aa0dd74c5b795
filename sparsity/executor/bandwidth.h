// Memory traffic of a plan, counted from its calls.
#pragma once

#include <cstdint>

#include "sparsity/executor/lower.h"

namespace sparsify {

/// Bytes of the last cache level that belongs to one core, from the system; 1 MiB where it
/// does not say.
int64_t PrivateCacheBytes();

/// Bytes moved between memory (or the shared cache) and the core in one run:
///
///   Σ constants + Σ reads past the cache + Σ writes past the cache.
///
/// Every constant is read once. A buffer written by call i and next read by call j is read
/// past the cache when what calls i … j touch (operands, results, constants and values within a
/// kernel, the buffer itself once) exceeds `cache_bytes`; it was then also written past the cache.
/// The caller's memory is always read and written past it, values within a kernel
/// (KernelInfo::inner_bytes) when they exceed it. Other scratch stays inside.
int64_t BandwidthBytes(const Lowered& lowered, int64_t cache_bytes);

}  // namespace sparsify

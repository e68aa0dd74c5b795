#include "sparsity/executor/bandwidth.h"

#include <unistd.h>

#include <algorithm>
#include <set>

namespace sparsify {
namespace {

/// Distinct bytes that calls first … last touch.
int64_t TouchedBytes(const Lowered& lowered, size_t first, size_t last) {
  std::set<int> buffers;
  int64_t bytes = 0;
  for (size_t i = first; i <= last; ++i) {
    const LoweredCall& call = lowered.calls[i];
    buffers.insert(call.inputs.begin(), call.inputs.end());
    buffers.insert(call.outputs.begin(), call.outputs.end());
    bytes += call.kernel->info().constant_bytes + call.kernel->info().inner_bytes;
  }
  for (int buffer : buffers) bytes += lowered.buffers[static_cast<size_t>(buffer)].bytes;
  return bytes;
}

}  // namespace

int64_t PrivateCacheBytes() {
#ifdef _SC_LEVEL2_CACHE_SIZE
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return bytes;
#endif
  return int64_t{1} << 20;
}

int64_t BandwidthBytes(const Lowered& lowered, int64_t cache_bytes) {
  int64_t total = 0;
  std::vector<int> touched(lowered.buffers.size(), -1);       // last call that read or wrote it
  std::vector<bool> is_dirty(lowered.buffers.size(), false);  // written, not yet written back
  for (size_t i = 0; i < lowered.calls.size(); ++i) {
    const LoweredCall& call = lowered.calls[i];
    total += call.kernel->info().constant_bytes;
    const int64_t inner = call.kernel->info().inner_bytes;
    if (inner > cache_bytes) total += 2 * inner;
    for (int input : call.inputs) {
      const auto b = static_cast<size_t>(input);
      const int64_t bytes = lowered.buffers[b].bytes;
      if (touched[b] < 0) {
        total += bytes;
      } else if (TouchedBytes(lowered, static_cast<size_t>(touched[b]), i) > cache_bytes) {
        total += is_dirty[b] ? 2 * bytes : bytes;
        is_dirty[b] = false;
      }
      touched[b] = static_cast<int>(i);
    }
    for (int output : call.outputs) {
      const auto b = static_cast<size_t>(output);
      touched[b] = static_cast<int>(i);
      is_dirty[b] = lowered.buffers[b].output < 0;
      if (!is_dirty[b]) total += lowered.buffers[b].bytes;
    }
  }
  return total;
}

}  // namespace sparsify

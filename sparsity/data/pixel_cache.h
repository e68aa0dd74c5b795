// Keeps transformed 8-bit pixels in memory, up to a limit, so that the evaluations of a
// sweep decode every file once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace sparsify {

/// Samples are kept in the order they arrive until the limit is reached and never evicted:
/// passes over a dataset are sequential, for which dropping the oldest would never hit.
class PixelCache {
 public:
  /// Room for as many of the `samples` as fit in `max_bytes` at `bytes_each`.
  PixelCache(int64_t samples, int64_t bytes_each, int64_t max_bytes);
  ~PixelCache();
  PixelCache(const PixelCache&) = delete;
  PixelCache& operator=(const PixelCache&) = delete;

  /// Pixels of sample i, or null. They stay valid as long as the cache. Thread safe.
  const uint8_t* Find(int64_t i) const;
  /// Takes the pixels of sample i if there is room. Thread safe.
  void Insert(int64_t i, std::unique_ptr<uint8_t[]> pixels);

 private:
  std::vector<std::atomic<uint8_t*>> slots_;
  std::atomic<int64_t> free_;  // samples that still fit
};

}  // namespace sparsify

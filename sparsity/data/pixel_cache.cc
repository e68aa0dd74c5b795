#include "sparsity/data/pixel_cache.h"

#include <algorithm>

namespace sparsify {

PixelCache::PixelCache(int64_t samples, int64_t bytes_each, int64_t max_bytes)
    : slots_(static_cast<size_t>(samples)), free_(max_bytes / std::max<int64_t>(1, bytes_each)) {}

PixelCache::~PixelCache() {
  for (std::atomic<uint8_t*>& slot : slots_) delete[] slot.load();
}

const uint8_t* PixelCache::Find(int64_t i) const {
  return slots_[static_cast<size_t>(i)].load(std::memory_order_acquire);
}

void PixelCache::Insert(int64_t i, std::unique_ptr<uint8_t[]> pixels) {
  if (free_.fetch_sub(1) <= 0) {
    free_.fetch_add(1);
    return;
  }
  uint8_t* expected = nullptr;
  if (slots_[static_cast<size_t>(i)].compare_exchange_strong(expected, pixels.get(),
                                                             std::memory_order_acq_rel)) {
    pixels.release();
  } else {
    free_.fetch_add(1);
  }
}

}  // namespace sparsify

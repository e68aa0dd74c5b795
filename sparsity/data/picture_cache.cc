#include "sparsity/data/picture_cache.h"

#include <utility>

namespace sparsify {

PictureCache::PictureCache(int64_t samples, int64_t max_bytes)
    : slots_(static_cast<size_t>(samples)), free_bytes_(max_bytes) {}

const Image* PictureCache::Find(int64_t i) const {
  const std::scoped_lock lock(mutex_);
  return slots_[static_cast<size_t>(i)].get();
}

void PictureCache::Insert(int64_t i, Image picture) {
  const auto bytes = static_cast<int64_t>(picture.pixels.size());
  const std::scoped_lock lock(mutex_);
  std::unique_ptr<const Image>& slot = slots_[static_cast<size_t>(i)];
  if (slot != nullptr || bytes > free_bytes_) return;
  slot = std::make_unique<const Image>(std::move(picture));
  free_bytes_ -= bytes;
}

}  // namespace sparsify

// Keeps decoded, resized pictures in memory, up to a limit, so that random crops of them
// need not decode the files again.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "sparsity/data/image.h"

namespace sparsify {

/// Pictures are kept in the order they arrive until the limit is reached and never evicted.
class PictureCache {
 public:
  /// Room for pictures of `samples` samples that take at most `max_bytes` together.
  PictureCache(int64_t samples, int64_t max_bytes);

  /// The picture of sample i, or null. It stays valid as long as the cache. Thread safe.
  const Image* Find(int64_t i) const;
  /// Takes the picture of sample i if there is room and none of it yet. Thread safe.
  void Insert(int64_t i, Image picture);

 private:
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<const Image>> slots_;  // guarded by mutex_
  int64_t free_bytes_;                               // guarded by mutex_
};

}  // namespace sparsify

// Memory of a bench: zeros in huge pages where the system gives them, the same for both
// sides of a comparison.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace sparsify::bench {

class Buffer {
 public:
  explicit Buffer(int64_t bytes) {
    constexpr size_t kPage = size_t{1} << 21;
    const size_t rounded = (static_cast<size_t>(bytes) + kPage) / kPage * kPage;
    data_ = static_cast<float*>(std::aligned_alloc(kPage, rounded));
    madvise(data_, rounded, MADV_HUGEPAGE);
    std::fill_n(data_, rounded / sizeof(float), 0.0F);
  }
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  float* data() const { return data_; }

 private:
  float* data_ = nullptr;
};

}  // namespace sparsify::bench

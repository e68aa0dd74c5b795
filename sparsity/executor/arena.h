// The activation arena: buffers with lifetimes become offsets in one block of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace sparsify {

/// Alignment of every buffer, in bytes.
inline constexpr int64_t kArenaAlignment = 64;

/// A buffer that is in use from step `first` to step `last`, both included.
struct ArenaRequest {
  int64_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct ArenaLayout {
  std::vector<int64_t> offsets;  // one a request, multiples of kArenaAlignment
  int64_t bytes = 0;             // peak
};

/// Places large buffers first, each in the smallest gap between those already placed that
/// are in use at the same time (greedy by size; Pisarchyk & Lee, 2020). Deterministic.
ArenaLayout PlanArena(std::span<const ArenaRequest> requests);

/// Zeroed, aligned memory, on large pages where the system offers them.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(int64_t bytes);

  std::byte* data() const { return data_.get(); }
  int64_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  int64_t bytes_ = 0;
};

}  // namespace sparsify

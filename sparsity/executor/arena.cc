#include "sparsity/executor/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <numeric>

#include "sparsity/base/rounding.h"

namespace sparsify {
namespace {

struct Extent {
  int64_t begin = 0;
  int64_t end = 0;
};

/// Offset of the smallest gap of at least `bytes` between `busy` extents (sorted by begin),
/// or the end of the last one.
int64_t SmallestGap(const std::vector<Extent>& busy, int64_t bytes) {
  int64_t best = -1;
  int64_t best_size = std::numeric_limits<int64_t>::max();
  int64_t end = 0;
  for (const Extent& extent : busy) {
    const int64_t gap = extent.begin - end;
    if (gap >= bytes && gap < best_size) {
      best = end;
      best_size = gap;
    }
    end = std::max(end, extent.end);
  }
  return best >= 0 ? best : end;
}

}  // namespace

ArenaLayout PlanArena(std::span<const ArenaRequest> requests) {
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return requests[a].bytes > requests[b].bytes; });
  ArenaLayout layout;
  layout.offsets.assign(requests.size(), 0);
  std::vector<size_t> placed;
  for (size_t index : order) {
    const ArenaRequest& request = requests[index];
    const int64_t bytes = RoundUp(request.bytes, kArenaAlignment);
    std::vector<Extent> busy;
    for (size_t other : placed) {
      if (requests[other].last < request.first || request.last < requests[other].first) continue;
      const int64_t begin = layout.offsets[other];
      busy.push_back({begin, begin + RoundUp(requests[other].bytes, kArenaAlignment)});
    }
    std::sort(busy.begin(), busy.end(),
              [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
    layout.offsets[index] = SmallestGap(busy, bytes);
    layout.bytes = std::max(layout.bytes, layout.offsets[index] + bytes);
    placed.push_back(index);
  }
  return layout;
}

AlignedBuffer::AlignedBuffer(int64_t bytes) : bytes_(bytes) {
  constexpr int64_t kLargePage = int64_t{1} << 21;
  const bool large = bytes >= 2 * kLargePage;
  const int64_t alignment = large ? kLargePage : kArenaAlignment;
  const int64_t size = RoundUp(std::max<int64_t>(bytes, 1), alignment);
  void* memory = std::aligned_alloc(static_cast<size_t>(alignment), static_cast<size_t>(size));
  if (memory == nullptr) throw std::bad_alloc();
  if (large) madvise(memory, static_cast<size_t>(size), MADV_HUGEPAGE);
  std::memset(memory, 0, static_cast<size_t>(size));
  data_.reset(static_cast<std::byte*>(memory));
}

void AlignedBuffer::Free::operator()(std::byte* memory) const { std::free(memory); }

}  // namespace sparsify

#include "sparsity/executor/cold_memory.h"

#include <algorithm>

#include "sparsity/base/random.h"
#include "sparsity/executor/bandwidth.h"

namespace sparsify {
namespace {

constexpr int64_t kLine = 64;
constexpr int64_t kFloat = sizeof(float);
/// A ring holds so many operands of one size, or this many bytes.
constexpr int64_t kRingOperands = 16;
constexpr int64_t kRingBytes = int64_t{64} << 20;

int64_t RoundUp(int64_t bytes) {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

}  // namespace

bool ColdMemory::Ring::Reserve(int64_t bytes) {
  const int64_t wanted = std::max(bytes, std::min(kRingOperands * bytes, kRingBytes));
  if (memory.bytes() >= wanted) return false;
  memory = AlignedBuffer(wanted);
  next = 0;
  return true;
}

std::byte* ColdMemory::Ring::Take(int64_t bytes) {
  if (next + bytes > memory.bytes()) next = 0;
  std::byte* taken = memory.data() + next;
  next += RoundUp(bytes);
  return taken;
}

void ColdMemory::Evict() {
  if (other_.bytes() == 0) other_ = AlignedBuffer(3 * PrivateCacheBytes());
  const auto* values = reinterpret_cast<const float*>(other_.data());
  float sum = 0;
  for (int64_t i = 0; i < other_.bytes() / kFloat; i += kLine / kFloat) sum += values[i];
  [[maybe_unused]] volatile float keep = sum;
}

float* ColdMemory::Input(int64_t bytes) {
  if (inputs_.Reserve(bytes)) FillRandom(inputs_.memory, 1);
  auto* memory = reinterpret_cast<float*>(inputs_.Take(bytes));
  TouchLines(memory, bytes);
  return memory;
}

float* ColdMemory::Output(int64_t bytes) {
  outputs_.Reserve(bytes);
  return reinterpret_cast<float*>(outputs_.Take(bytes));
}

void FillRandom(AlignedBuffer& memory, uint64_t seed) {
  auto* values = reinterpret_cast<float*>(memory.data());
  Random random(seed);
  constexpr int64_t kPattern = 4093;
  for (int64_t i = 0; i < memory.bytes() / kFloat; ++i) {
    values[i] = i < kPattern ? static_cast<float>(random.Uniform()) : values[i - kPattern];
  }
}

void TouchLines(float* memory, int64_t bytes) {
  for (int64_t i = 0; i < bytes / kFloat; i += kLine / kFloat) {
    volatile float* line = memory + i;
    *line = *line;
  }
}

}  // namespace sparsify

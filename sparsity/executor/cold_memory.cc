#include "sparsity/executor/cold_memory.h"

#include <algorithm>

#include "sparsity/base/random.h"
#include "sparsity/base/rounding.h"
#include "sparsity/executor/bandwidth.h"

namespace sparsify {
namespace {

constexpr int64_t kLine = 64;
constexpr int64_t kFloat = sizeof(float);
/// A ring holds the operands of so many runs, or this many bytes.
constexpr int64_t kRingRuns = 16;
constexpr int64_t kRingBytes = int64_t{64} << 20;

int64_t TotalBytes(std::span<const int64_t> bytes) {
  int64_t total = 0;
  for (const int64_t size : bytes) total += RoundUp(size, kArenaAlignment);
  return total;
}

}  // namespace

bool ColdMemory::Ring::Reserve(int64_t bytes) {
  const int64_t wanted = std::max(bytes, std::min(kRingRuns * bytes, kRingBytes));
  if (memory.bytes() >= wanted) return false;
  memory = AlignedBuffer(wanted);
  next = 0;
  return true;
}

std::vector<float*> ColdMemory::Ring::Take(std::span<const int64_t> bytes) {
  if (next + TotalBytes(bytes) > memory.bytes()) next = 0;
  std::vector<float*> taken;
  for (const int64_t size : bytes) {
    taken.push_back(reinterpret_cast<float*>(memory.data() + next));
    next += RoundUp(size, kArenaAlignment);
  }
  return taken;
}

void ColdMemory::Evict() {
  if (other_.bytes() == 0) other_ = AlignedBuffer(3 * PrivateCacheBytes());
  const auto* values = reinterpret_cast<const float*>(other_.data());
  float sum = 0;
  for (int64_t i = 0; i < other_.bytes() / kFloat; i += kLine / kFloat) sum += values[i];
  [[maybe_unused]] volatile float keep = sum;
}

std::vector<float*> ColdMemory::Inputs(std::span<const int64_t> bytes) {
  if (inputs_.Reserve(TotalBytes(bytes))) FillRandom(inputs_.memory, 1);
  std::vector<float*> inputs = inputs_.Take(bytes);
  for (size_t i = 0; i < inputs.size(); ++i) TouchLines(inputs[i], bytes[i]);
  return inputs;
}

std::vector<float*> ColdMemory::Outputs(std::span<const int64_t> bytes) {
  outputs_.Reserve(TotalBytes(bytes));
  return outputs_.Take(bytes);
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

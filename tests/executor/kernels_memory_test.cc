// What generated code and Run may do with memory: no page writable and executable at once, no
// allocation while running.
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>

#include "sparsity/executor/kernels/sparse_conv.h"
#include "tests/executor/kernels_support.h"

namespace {

std::atomic<int64_t> allocations = 0;

}  // namespace

// Not inlined: a compiler that sees only one of them takes them for mismatched.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace sparsify {
namespace {

using testing::GuardedBuffer;
using testing::GuardedLanes;
using testing::MakeGeometry;

/// Mappings of this process whose permissions contain `wanted` ("wx").
int Mappings(const std::string& wanted) {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) {
    const std::string permissions = line.substr(line.find(' ') + 1, 4);
    bool all = true;
    for (const char c : wanted) all = all && permissions.find(c) != std::string::npos;
    if (all) ++count;
  }
  return count;
}

TEST(KernelMemoryTest, GeneratedCodeIsNeverWritableAndExecutable) {
  SPARSIFY_SKIP_WITHOUT(Isa::kAvx2);
  if (Mappings("r") == 0) GTEST_SKIP() << "/proc/self/maps is not readable";
  const ConvGeometry g = MakeGeometry(8, 5, 6, 9, 3, 1, 1, 8);
  const std::vector<float> weight(g.out_channels * g.taps(), 1.0F);
  const int before = Mappings("x");
  ASSERT_EQ(Mappings("wx"), 0);
  {
    const SparseConv conv(g, weight.data(), nullptr, {}, AllSparseVariants(g, Isa::kAvx2)[0], 1);
    EXPECT_GT(Mappings("x"), before);
    EXPECT_EQ(Mappings("wx"), 0);
  }
  EXPECT_EQ(Mappings("x"), before);
}

TEST(KernelMemoryTest, RunAllocatesNothing) {
  Random random(1);
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (!IsaSupported(isa)) continue;
    for (const int lanes : {1, 8, 16}) {
      const ConvGeometry g = MakeGeometry(lanes, 5, 6, 9, 3, 1, 1, lanes);
      const auto weight = testing::RandomSparse(g.out_channels * g.taps(), 0.5, random);
      for (const SparseVariant& variant : AllSparseVariants(g, isa)) {
        const SparseConv conv(g, weight.data(), nullptr, {}, variant, 1);
        const GuardedLanes in(g.InShape());
        const GuardedLanes out(g.OutShape());
        const GuardedBuffer scratch(conv.scratch_bytes());
        const int64_t before = allocations;
        conv.Run(in.view(), nullptr, out.view(), scratch.data());
        EXPECT_EQ(allocations, before) << variant.name;
      }
    }
  }
}

}  // namespace
}  // namespace sparsify

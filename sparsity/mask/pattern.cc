#include "sparsity/mask/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "sparsity/mask/weight_layout.h"

namespace sparsify {
namespace {

constexpr int64_t kEnoughGroups = 8;

// The weight as zero or not, with its layout.
struct Zeros {
  const Tensor& weight;
  WeightLayout layout;
  int64_t count;

  bool At(int64_t o, int64_t i, int64_t k) const { return weight[layout.Index(o, i, k)] == 0; }
};

// Number of output (or input) channels that are zero throughout.
int64_t EmptyChannels(const Zeros& zeros, bool outputs) {
  const WeightLayout& layout = zeros.layout;
  std::vector<bool> empty(static_cast<size_t>(outputs ? layout.outputs : layout.inputs), true);
  for (int64_t at = 0; at < layout.size(); ++at) {
    if (zeros.weight[at] == 0) continue;
    const int64_t o = at / layout.FilterSize();
    const int64_t i = at / layout.taps % layout.inputs;
    empty[static_cast<size_t>(outputs ? o : i)] = false;
  }
  return std::count(empty.begin(), empty.end(), true);
}

// Whether `inside` regular zeros explain the weight: few of the rest are zero.
bool Explains(const Zeros& zeros, int64_t inside) {
  return 100 * (zeros.count - inside) <= zeros.layout.size() - inside;
}

std::string Channels(const Zeros& zeros) {
  const WeightLayout& layout = zeros.layout;
  const int64_t filters = EmptyChannels(zeros, true);
  if (filters > 0 && Explains(zeros, filters * layout.FilterSize())) {
    return fmt::format("filters ({} of {})", filters, layout.outputs);
  }
  const int64_t inputs = EmptyChannels(zeros, false);
  if (inputs > 0 && Explains(zeros, inputs * layout.outputs * layout.taps)) {
    return fmt::format("input channels ({} of {})", inputs, layout.inputs);
  }
  return "";
}

// N when every full group of m input channels keeps at most N and nearly all keep N, else 0.
int64_t KeptPerGroup(const Zeros& zeros, int64_t m) {
  const WeightLayout& layout = zeros.layout;
  const int64_t groups = layout.inputs / m;
  int64_t most = 0;
  int64_t total = 0;
  for (int64_t o = 0; o < layout.outputs; ++o) {
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t k = 0; k < layout.taps; ++k) {
        int64_t kept = 0;
        for (int64_t i = g * m; i < (g + 1) * m; ++i) kept += zeros.At(o, i, k) ? 0 : 1;
        if (kept == m) return 0;
        most = std::max(most, kept);
        total += kept;
      }
    }
  }
  const int64_t count = layout.outputs * groups * layout.taps;
  return count >= kEnoughGroups && 10 * total >= 9 * most * count ? most : 0;
}

std::string NOfM(const Zeros& zeros) {
  for (const int64_t m : {2, 4, 8, 16, 32}) {
    const int64_t n = KeptPerGroup(zeros, m);
    if (n > 0) return fmt::format("{}:{}", n, m);
  }
  return "";
}

// A block of output channels × input channels × taps.
struct Block {
  int64_t outputs;
  int64_t inputs;
  int64_t taps;
};

// Number of weights of the block at (o, i, k) when they are all zero, else 0.
int64_t ZeroBlock(const Zeros& zeros, const Block& block, int64_t o, int64_t i, int64_t k) {
  const int64_t last_o = std::min(o + block.outputs, zeros.layout.outputs);
  const int64_t last_i = std::min(i + block.inputs, zeros.layout.inputs);
  for (int64_t oo = o; oo < last_o; ++oo) {
    for (int64_t ii = i; ii < last_i; ++ii) {
      for (int64_t kk = k; kk < k + block.taps; ++kk) {
        if (!zeros.At(oo, ii, kk)) return 0;
      }
    }
  }
  return (last_o - o) * (last_i - i) * block.taps;
}

// Blocks that are zero throughout explain the weight, and there are enough of both kinds.
bool InBlocks(const Zeros& zeros, const Block& block) {
  const WeightLayout& layout = zeros.layout;
  int64_t inside = 0;
  int64_t counts[2] = {0, 0};
  for (int64_t o = 0; o < layout.outputs; o += block.outputs) {
    for (int64_t i = 0; i < layout.inputs; i += block.inputs) {
      for (int64_t k = 0; k < layout.taps; k += block.taps) {
        const int64_t size = ZeroBlock(zeros, block, o, i, k);
        inside += size;
        ++counts[size > 0 ? 1 : 0];
      }
    }
  }
  return counts[0] >= kEnoughGroups && counts[1] >= kEnoughGroups && Explains(zeros, inside);
}

std::string Blocks(const Zeros& zeros) {
  if (zeros.layout.taps > 1 && InBlocks(zeros, {1, 1, zeros.layout.taps})) return "kernels";
  std::vector<std::pair<int64_t, int64_t>> sizes;
  for (const int64_t bo : {1, 2, 4, 8, 16, 32}) {
    for (const int64_t bi : {1, 2, 4, 8, 16, 32}) {
      const bool fits = bo <= zeros.layout.outputs && bi <= zeros.layout.inputs;
      if (bo * bi > 1 && fits) sizes.emplace_back(bo, bi);
    }
  }
  std::stable_sort(sizes.begin(), sizes.end(), [](const auto& a, const auto& b) {
    return a.first * a.second > b.first * b.second;
  });
  for (const auto& [bo, bi] : sizes) {
    if (InBlocks(zeros, {bo, bi, 1})) return fmt::format("block {}x{}", bo, bi);
  }
  return "";
}

}  // namespace

std::string DescribePattern(const Tensor& weight) {
  const int64_t count = CountZeros(weight);
  if (count == 0) return "dense";
  if (count == weight.size()) return "all zero";
  if (weight.shape().rank() >= 2) {
    const Zeros zeros{weight, LayoutOf(weight.shape(), "pattern"), count};
    for (const auto describe : {Channels, NOfM, Blocks}) {
      const std::string text = describe(zeros);
      if (!text.empty()) return text;
    }
  }
  if (100 * count < weight.size()) return fmt::format("dense ({} zeros)", count);
  return "unstructured";
}

}  // namespace sparsify

#include "sparsity/training/clip.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/ops/vector_loops.h"

namespace sparsify {
namespace {

struct Chunk {
  float* values;
  int64_t count;
};

std::vector<Chunk> ChunksOf(std::span<Tensor* const> tensors) {
  constexpr int64_t kSize = 1 << 14;
  std::vector<Chunk> chunks;
  for (Tensor* tensor : tensors) {
    for (int64_t at = 0; at < tensor->size(); at += kSize) {
      chunks.push_back({tensor->data() + at, std::min(kSize, tensor->size() - at)});
    }
  }
  return chunks;
}

}  // namespace

double ClipGradients(std::span<Tensor* const> gradients, double max_norm) {
  if (!(max_norm > 0)) Fail("gradient clipping", "norm {}, expected above 0", max_norm);
  const std::vector<Chunk> chunks = ChunksOf(gradients);
  std::vector<double> sums(chunks.size());
  ParallelFor(std::ssize(chunks), [&](int64_t i) {
    const auto& [values, count] = chunks[static_cast<size_t>(i)];
    sums[static_cast<size_t>(i)] = PlaneDot(values, values, count);
  });
  const double norm = std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
  const double factor = max_norm / (norm + 1e-6);
  if (!std::isfinite(norm) || factor >= 1) return norm;
  const auto scale = static_cast<float>(factor);
  ParallelFor(std::ssize(chunks), [&](int64_t i) {
    const auto& [values, count] = chunks[static_cast<size_t>(i)];
    for (int64_t k = 0; k < count; ++k) values[k] *= scale;
  });
  return norm;
}

}  // namespace sparsify

#include "reconstruction/unit_objective.h"

#include <algorithm>
#include <numeric>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/ops/vector_loops.h"

namespace sparsify {
namespace {

// Batch × positions of N×C×….
int64_t Positions(const Shape& shape) {
  if (shape.rank() < 2)
    Fail("objective", "activations of shape {} have no channels", shape.ToString());
  return shape.NumElements() / shape[1];
}

// Σ (a[i] − b[i])² in independent partial sums, so that the additions need not wait for each
// other; gradient[i] = factor · (a[i] − b[i]) where asked for.
template <bool kWithGradient>
double SumSquares(const float* a, const float* b, int64_t count, float factor, float* gradient) {
  constexpr int64_t kLanes = 8;
  double lanes[kLanes] = {};
  const auto term = [&](int64_t i) {
    const float difference = a[i] - b[i];
    if constexpr (kWithGradient) gradient[i] = factor * difference;
    return double{difference} * difference;
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (; i < count; ++i) lanes[0] += term(i);
  return std::accumulate(lanes, lanes + kLanes, 0.0);
}

}  // namespace

double SquaredError(const Tensor& student, const Tensor& teacher, Tensor* gradient) {
  if (student.shape() != teacher.shape()) {
    Fail("objective", "student's output has shape {}, the teacher's {}", student.shape().ToString(),
         teacher.shape().ToString());
  }
  const double positions = static_cast<double>(Positions(student.shape()));
  if (gradient != nullptr) gradient->Resize(student.shape());
  const auto factor = static_cast<float>(2 / positions);
  constexpr int64_t kChunk = 1 << 14;
  const int64_t chunks = (student.size() + kChunk - 1) / kChunk;
  std::vector<double> sums(static_cast<size_t>(chunks));
  ParallelFor(chunks, [&](int64_t chunk) {
    const int64_t begin = chunk * kChunk;
    const int64_t count = std::min(kChunk, student.size() - begin);
    const float* a = student.data() + begin;
    const float* b = teacher.data() + begin;
    sums[static_cast<size_t>(chunk)] =
        gradient == nullptr ? SumSquares<false>(a, b, count, factor, nullptr)
                            : SumSquares<true>(a, b, count, factor, gradient->data() + begin);
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0) / positions;
}

void ChannelMoments::Add(const Tensor& rows) {
  const int64_t positions = Positions(rows.shape());
  const int64_t channels = rows.shape()[1];
  const int64_t area = rows.size() / (rows.shape()[0] * channels);
  sums_.resize(static_cast<size_t>(channels));
  squares_.resize(static_cast<size_t>(channels));
  ParallelFor(channels, [&](int64_t c) {
    for (int64_t n = 0; n < rows.shape()[0]; ++n) {
      const float* plane = rows.data() + (n * channels + c) * area;
      sums_[static_cast<size_t>(c)] += PlaneSum(plane, area);
      squares_[static_cast<size_t>(c)] += PlaneDot(plane, plane, area);
    }
  });
  count_ += positions;
}

std::vector<double> ChannelMoments::Means() const {
  std::vector<double> means = sums_;
  for (double& mean : means) mean /= static_cast<double>(count_);
  return means;
}

double ChannelMoments::SummedVariance() const {
  constexpr double kRounding = 1e-13;  // of a constant channel, as a share of its square
  double total = 0;
  const auto means = Means();
  for (size_t c = 0; c < means.size(); ++c) {
    const double square = squares_[c] / static_cast<double>(count_);
    const double variance = square - means[c] * means[c];
    if (variance > kRounding * square) total += variance;
  }
  return total;
}

}  // namespace sparsify

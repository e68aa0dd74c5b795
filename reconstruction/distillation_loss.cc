#include "reconstruction/distillation_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

void CheckSameShape(const Tensor& student, const Tensor& teacher) {
  if (student.shape() == teacher.shape()) return;
  Fail("polish", "the student's output has shape {}, the dense network's {}",
       student.shape().ToString(), teacher.shape().ToString());
}

// log softmax of one row, shifted by the maximum so that nothing overflows.
std::vector<double> LogSoftmax(std::span<const float> row) {
  const double max = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float x : row) sum += std::exp(x - max);
  const double shift = max + std::log(sum);
  std::vector<double> result;
  result.reserve(row.size());
  for (const float x : row) result.push_back(x - shift);
  return result;
}

}  // namespace

double DivergenceLoss(const Tensor& student, const Tensor& teacher, double weight,
                      Tensor* gradient) {
  CheckSameShape(student, teacher);
  const Shape& shape = student.shape();
  if (shape.rank() < 2 || student.size() != shape[0] * shape[1]) {
    Fail("polish", "the network gives {}, expected one row of class scores for each image",
         shape.ToString());
  }
  const auto classes = static_cast<size_t>(shape[1]);
  if (gradient != nullptr) gradient->Resize(shape);
  std::vector<double> of_rows(static_cast<size_t>(shape[0]));
  ParallelFor(shape[0], [&](int64_t row) {
    const int64_t first = row * shape[1];
    const auto q = LogSoftmax({student.data() + first, classes});
    const auto p = LogSoftmax({teacher.data() + first, classes});
    double sum = 0;
    for (size_t k = 0; k < classes; ++k) {
      const double share = std::exp(p[k]);
      sum += share * (p[k] - q[k]);
      if (gradient == nullptr) continue;
      (*gradient)[first + static_cast<int64_t>(k)] =
          static_cast<float>(weight * (std::exp(q[k]) - share));
    }
    of_rows[static_cast<size_t>(row)] = sum;
  });
  return weight * std::accumulate(of_rows.begin(), of_rows.end(), 0.0);
}

double SquaredLoss(const Tensor& student, const Tensor& teacher, double weight, Tensor* gradient) {
  constexpr int64_t kChunk = 1 << 14;
  CheckSameShape(student, teacher);
  if (gradient != nullptr) gradient->Resize(student.shape());
  const auto slope = static_cast<float>(2 * weight);
  std::vector<double> of_chunks(static_cast<size_t>((student.size() + kChunk - 1) / kChunk));
  ParallelFor(std::ssize(of_chunks), [&](int64_t chunk) {
    const int64_t begin = chunk * kChunk;
    const int64_t end = std::min(student.size(), begin + kChunk);
    const float* s = student.data();
    const float* t = teacher.data();
    double sum = 0;
    for (int64_t i = begin; i < end; ++i) {
      const double difference = double{s[i]} - double{t[i]};
      sum += difference * difference;
    }
    of_chunks[static_cast<size_t>(chunk)] = sum;
    if (gradient == nullptr) return;
    float* g = gradient->data();
    for (int64_t i = begin; i < end; ++i) g[i] = slope * (s[i] - t[i]);
  });
  return weight * std::accumulate(of_chunks.begin(), of_chunks.end(), 0.0);
}

}  // namespace sparsify

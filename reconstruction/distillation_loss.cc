#include "reconstruction/distillation_loss.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/ops/vector_loops.h"

namespace sparsify {

double SquaredLoss(const Tensor& student, const Tensor& teacher, double weight, Tensor* gradient) {
  constexpr int64_t kChunk = 1 << 14;
  if (student.shape() != teacher.shape()) {
    Fail("polish", "the student's output has shape {}, the dense network's {}",
         student.shape().ToString(), teacher.shape().ToString());
  }
  if (gradient != nullptr) gradient->Resize(student.shape());
  const auto slope = static_cast<float>(2 * weight);
  std::vector<double> of_chunks(static_cast<size_t>((student.size() + kChunk - 1) / kChunk));
  ParallelFor(std::ssize(of_chunks), [&](int64_t chunk) {
    const int64_t begin = chunk * kChunk;
    const int64_t end = std::min(student.size(), begin + kChunk);
    of_chunks[static_cast<size_t>(chunk)] =
        PlaneDifference(student.data() + begin, teacher.data() + begin, end - begin, slope,
                        gradient == nullptr ? nullptr : gradient->data() + begin);
  });
  return weight * std::accumulate(of_chunks.begin(), of_chunks.end(), 0.0);
}

}  // namespace sparsify

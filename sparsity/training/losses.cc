#include "sparsity/training/losses.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string_view>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

void CheckRows(std::string_view where, const Tensor& logits) {
  const Shape& shape = logits.shape();
  if (shape.rank() >= 2 && logits.size() > 0 && logits.size() == shape[0] * shape[1]) return;
  Fail(where, "the network gives {}, expected one row of class scores for each image",
       shape.ToString());
}

std::span<const float> Row(const Tensor& logits, int64_t row) {
  const int64_t classes = logits.shape()[1];
  return {logits.data() + row * classes, static_cast<size_t>(classes)};
}

// log softmax(row / temperature), shifted by the maximum so that nothing overflows.
std::vector<double> LogSoftmax(std::span<const float> row, double temperature) {
  const double max = *std::max_element(row.begin(), row.end()) / temperature;
  double sum = 0;
  for (const float x : row) sum += std::exp(x / temperature - max);
  const double shift = max + std::log(sum);
  std::vector<double> result;
  result.reserve(row.size());
  for (const float x : row) result.push_back(x / temperature - shift);
  return result;
}

// Σ over rows of body(row), added in their order.
template <class Body>
double SumOverRows(int64_t rows, const Body& body) {
  std::vector<double> of_rows(static_cast<size_t>(rows));
  ParallelFor(rows, [&](int64_t row) { of_rows[static_cast<size_t>(row)] = body(row); });
  return std::accumulate(of_rows.begin(), of_rows.end(), 0.0);
}

void CheckLabels(const Tensor& logits, const std::vector<int64_t>& labels) {
  const int64_t rows = logits.shape()[0];
  const int64_t classes = logits.shape()[1];
  if (std::ssize(labels) != rows) {
    Fail("cross-entropy", "{} labels given for {} rows of class scores", labels.size(), rows);
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0 && labels[i] < classes) continue;
    Fail("cross-entropy",
         "label {} of image {} of the batch is not among the network's {} classes (0 … {}); check "
         "data.transform.label_offset and the labels",
         labels[i], i, classes, classes - 1);
  }
}

}  // namespace

double CrossEntropy(const Tensor& logits, const std::vector<int64_t>& labels,
                    double label_smoothing, Tensor* gradient, int64_t batch) {
  CheckRows("cross-entropy", logits);
  CheckLabels(logits, labels);
  if (!(label_smoothing >= 0 && label_smoothing <= 1)) {
    Fail("cross-entropy", "label smoothing {}, expected 0 … 1", label_smoothing);
  }
  if (gradient != nullptr) gradient->Resize(logits.shape());
  const int64_t rows = logits.shape()[0];
  const int64_t classes = logits.shape()[1];
  const double share = 1 / static_cast<double>(batch > 0 ? batch : rows);
  const double everywhere = label_smoothing / static_cast<double>(classes);
  const double sum = SumOverRows(rows, [&](int64_t row) {
    const std::vector<double> log_p = LogSoftmax(Row(logits, row), 1);
    const auto label = static_cast<size_t>(labels[static_cast<size_t>(row)]);
    double loss = -(1 - label_smoothing) * log_p[label];
    if (label_smoothing > 0) loss -= everywhere * std::reduce(log_p.begin(), log_p.end());
    for (size_t k = 0; gradient != nullptr && k < log_p.size(); ++k) {
      const double target = everywhere + (k == label ? 1 - label_smoothing : 0);
      (*gradient)[row * classes + static_cast<int64_t>(k)] =
          static_cast<float>(share * (std::exp(log_p[k]) - target));
    }
    return loss;
  });
  return share * sum;
}

double DistillationLoss(const Tensor& student, const Tensor& teacher, double temperature,
                        double weight, Tensor* gradient, int64_t batch) {
  if (student.shape() != teacher.shape()) {
    Fail("distillation", "the student's output has shape {}, the dense network's {}",
         student.shape().ToString(), teacher.shape().ToString());
  }
  CheckRows("distillation", student);
  if (!(temperature > 0)) Fail("distillation", "temperature {}, expected above 0", temperature);
  if (gradient != nullptr && gradient->shape() != student.shape()) {
    Fail("distillation", "the gradient to add to has shape {}, {} expected",
         gradient->shape().ToString(), student.shape().ToString());
  }
  const int64_t classes = student.shape()[1];
  const double share = weight / static_cast<double>(batch > 0 ? batch : student.shape()[0]);
  const auto slope = share * temperature;  // T² of the loss, 1/T of the logits
  const double sum = SumOverRows(student.shape()[0], [&](int64_t row) {
    const std::vector<double> log_q = LogSoftmax(Row(student, row), temperature);
    const std::vector<double> log_p = LogSoftmax(Row(teacher, row), temperature);
    double divergence = 0;
    for (size_t k = 0; k < log_q.size(); ++k) {
      const double p = std::exp(log_p[k]);
      divergence += p * (log_p[k] - log_q[k]);
      if (gradient == nullptr) continue;
      (*gradient)[row * classes + static_cast<int64_t>(k)] +=
          static_cast<float>(slope * (std::exp(log_q[k]) - p));
    }
    return divergence;
  });
  return share * temperature * temperature * sum;
}

}  // namespace sparsify

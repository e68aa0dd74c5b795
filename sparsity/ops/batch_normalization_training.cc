#include "sparsity/ops/batch_normalization_training.h"

#include <algorithm>
#include <cmath>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/node_check.h"
#include "sparsity/ops/vector_loops.h"

namespace sparsify {
namespace {

// An N×C×… tensor as planes of memory.
struct Planes {
  explicit Planes(const Tensor& x)
      : batch(x.shape()[0]),
        channels(x.shape()[1]),
        area(ProductOf(x.shape(), 2, x.shape().rank())) {}

  int64_t Count() const { return batch * area; }

  // body(position of the first element) for every plane of channel c.
  template <class Body>
  void ForChannel(int64_t c, const Body& body) const {
    for (int64_t n = 0; n < batch; ++n) body((n * channels + c) * area);
  }

  int64_t batch;
  int64_t channels;
  int64_t area;
};

double InverseDeviation(const Node& node, double variance) {
  return 1 / std::sqrt(variance + node.attributes.Float("epsilon", 1e-5));
}

Tensor ToTensor(const std::vector<double>& values, double factor) {
  Tensor tensor(Shape{std::ssize(values)});
  for (int64_t i = 0; i < tensor.size(); ++i) {
    tensor[i] = static_cast<float>(values[static_cast<size_t>(i)] * factor);
  }
  return tensor;
}

// grad_x = slope · grad_y + (along · (x − center) + constant)
struct InputGradient {
  float slope = 0;
  float along = 0;
  float center = 0;
  float constant = 0;

  void Fill(const float* x, const float* grad_y, int64_t count, float* grad_x) const {
    const auto [a, b, m, c] = *this;
    SPARSIFY_INDEPENDENT
    for (int64_t i = 0; i < count; ++i) grad_x[i] = a * grad_y[i] + (b * (x[i] - m) + c);
  }
};

// From the sums over the channel of grad_y and of grad_y · x̂: x̂ = (x − mean) · inverse,
// grad_x = scale · inverse · (grad_y − Σ grad_y / n − x̂ · Σ grad_y x̂ / n).
InputGradient GradientOfInput(double scale, double inverse, double mean, double count, double sum,
                              double dot) {
  InputGradient result;
  const double slope = scale * inverse;
  const double along = -slope * inverse * dot / count;
  result.slope = static_cast<float>(slope);
  result.along = static_cast<float>(along);
  result.center = static_cast<float>(mean);
  result.constant =
      static_cast<float>(along * (double{result.center} - mean) - slope * sum / count);
  return result;
}

}  // namespace

Tensor BatchMoments::Mean() const { return ToTensor(mean, 1); }

Tensor BatchMoments::UnbiasedVariance() const {
  const auto n = static_cast<double>(count);
  return ToTensor(variance, n / (n - 1));
}

BatchMoments BatchNormalizationTrain(const Node& node, OpInputs inputs, Tensor& y) {
  const Tensor& x = *inputs[0];
  const Planes planes(x);
  BatchMoments moments;
  moments.count = planes.Count();
  if (moments.count < 2) {
    FailNode(node,
             "input {} has one value a channel, of which training takes no variance; use a larger "
             "batch",
             x.shape().ToString());
  }
  moments.mean.resize(static_cast<size_t>(planes.channels));
  moments.variance.resize(static_cast<size_t>(planes.channels));
  const auto count = static_cast<double>(moments.count);
  ParallelFor(planes.channels, [&](int64_t c) {
    const float origin = x[c * planes.area];  // near the mean: squares lose nothing
    double sum = 0;
    double square = 0;
    planes.ForChannel(c, [&](int64_t at) {
      const auto [s, q] = PlaneMoments(x.data() + at, origin, planes.area);
      sum += s;
      square += q;
    });
    const double offset = sum / count;
    const double mean = origin + offset;
    const double variance = std::max(0.0, square / count - offset * offset);
    const double scale = (*inputs[1])[c] * InverseDeviation(node, variance);
    const auto a = static_cast<float>(scale);
    const auto b = static_cast<float>((*inputs[2])[c] - mean * scale);
    planes.ForChannel(c, [&](int64_t at) {
      const float* in = x.data() + at;
      float* out = y.data() + at;
      for (int64_t i = 0; i < planes.area; ++i) out[i] = in[i] * a + b;
    });
    moments.mean[static_cast<size_t>(c)] = mean;
    moments.variance[static_cast<size_t>(c)] = variance;
  });
  return moments;
}

void BatchNormalizationTrainBackward(const Node& node, OpInputs inputs, const BatchMoments& moments,
                                     const Tensor& grad_y, OpOutputs grad_inputs) {
  if (grad_inputs[3] != nullptr || grad_inputs[4] != nullptr) {
    FailNode(node, "running mean and variance play no part in training and have no gradient");
  }
  const Tensor& x = *inputs[0];
  const Planes planes(x);
  ParallelFor(planes.channels, [&](int64_t c) {
    const double mean = moments.mean[static_cast<size_t>(c)];
    const double inverse = InverseDeviation(node, moments.variance[static_cast<size_t>(c)]);
    double sum = 0;
    double dot = 0;
    planes.ForChannel(c, [&](int64_t at) {
      sum += PlaneSum(grad_y.data() + at, planes.area);
      dot += PlaneDot(grad_y.data() + at, x.data() + at, planes.area);
    });
    dot = (dot - sum * mean) * inverse;
    if (grad_inputs[1] != nullptr) (*grad_inputs[1])[c] = static_cast<float>(dot);
    if (grad_inputs[2] != nullptr) (*grad_inputs[2])[c] = static_cast<float>(sum);
    if (grad_inputs[0] == nullptr) return;
    const InputGradient gradient = GradientOfInput((*inputs[1])[c], inverse, mean,
                                                   static_cast<double>(moments.count), sum, dot);
    planes.ForChannel(c, [&](int64_t at) {
      gradient.Fill(x.data() + at, grad_y.data() + at, planes.area, grad_inputs[0]->data() + at);
    });
  });
}

}  // namespace sparsify

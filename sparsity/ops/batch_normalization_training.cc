#include "sparsity/ops/batch_normalization_training.h"

#include "sparsity/base/parallel.h"
#include "sparsity/ops/batch_normalization_blocked.h"
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

// grad_x may be grad_y.
void Fill(const InputGradient& gradient, const float* x, const float* grad_y, int64_t count,
          float* grad_x) {
  const auto [a, b, m, c] = gradient;
  SPARSIFY_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) grad_x[i] = a * grad_y[i] + (b * (x[i] - m) + c);
}

void TrainPlain(const Node& node, OpInputs inputs, BatchMoments& moments, Tensor& y) {
  const Tensor& x = *inputs[0];
  const Planes planes(x);
  ParallelFor(planes.channels, [&](int64_t c) {
    const float origin = x[c * planes.area];  // near the mean: squares lose nothing
    PlaneSums sums;
    planes.ForChannel(c, [&](int64_t at) {
      const auto [sum, square] = PlaneMoments(x.data() + at, origin, planes.area);
      sums.sum += sum;
      sums.square += square;
    });
    const ChannelLine line = NormaliseChannel(node, inputs, c, origin, sums, moments);
    planes.ForChannel(c, [&](int64_t at) {
      const float* in = x.data() + at;
      float* out = y.data() + at;
      for (int64_t i = 0; i < planes.area; ++i) out[i] = in[i] * line.slope + line.shift;
    });
  });
}

void BackwardPlain(const Node& node, OpInputs inputs, const BatchMoments& moments,
                   const Tensor& grad_y, OpOutputs grad_inputs) {
  const Tensor& x = *inputs[0];
  const Planes planes(x);
  ParallelFor(planes.channels, [&](int64_t c) {
    PlaneSums sums;
    planes.ForChannel(c, [&](int64_t at) {
      sums.sum += PlaneSum(grad_y.data() + at, planes.area);
      sums.square += PlaneDot(grad_y.data() + at, x.data() + at, planes.area);
    });
    const InputGradient gradient =
        DifferentiateChannel(node, inputs, c, moments, sums, grad_inputs);
    if (grad_inputs[0] == nullptr) return;
    planes.ForChannel(c, [&](int64_t at) {
      Fill(gradient, x.data() + at, grad_y.data() + at, planes.area, grad_inputs[0]->data() + at);
    });
  });
}

}  // namespace

BatchMoments BatchNormalizationTrain(const Node& node, OpInputs inputs, Tensor& y, bool blocked) {
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
  const auto train = blocked ? BatchNormalizationTrainBlocked : TrainPlain;
  train(node, inputs, moments, y);
  return moments;
}

void BatchNormalizationTrainBackward(const Node& node, OpInputs inputs, const BatchMoments& moments,
                                     const Tensor& grad_y, OpOutputs grad_inputs, bool blocked) {
  if (grad_inputs[3] != nullptr || grad_inputs[4] != nullptr) {
    FailNode(node, "running mean and variance play no part in training and have no gradient");
  }
  const auto backward = blocked ? BatchNormalizationTrainBackwardBlocked : BackwardPlain;
  backward(node, inputs, moments, grad_y, grad_inputs);
}

}  // namespace sparsify

#include "sparsity/ops/batch_normalization_training.h"

#include <vector>

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

void TrainPlain(const Node& node, OpInputs inputs, const BatchShare& share, const ValueRange* range,
                BatchMoments& moments, Tensor& y) {
  const Tensor& x = *inputs[0];
  const Planes planes(x);
  std::vector<float> origins(static_cast<size_t>(planes.channels));
  std::vector<PlaneSums> sums(origins.size());
  ParallelFor(planes.channels, [&](int64_t c) {
    const float origin = x[c * planes.area];  // near the mean: squares lose nothing
    PlaneSums& of_channel = sums[static_cast<size_t>(c)];
    planes.ForChannel(c, [&](int64_t at) {
      const auto [sum, square] = PlaneMoments(x.data() + at, origin, planes.area);
      of_channel.sum += sum;
      of_channel.square += square;
    });
    origins[static_cast<size_t>(c)] = origin;
  });
  JoinMoments(node, inputs, share, origins, sums, moments);
  ParallelFor(planes.channels, [&](int64_t c) {
    const auto at_c = static_cast<size_t>(c);
    const ChannelLine line = NormaliseChannel(node, inputs, c, origins[at_c], sums[at_c], moments);
    planes.ForChannel(c, [&](int64_t at) {
      const float* in = x.data() + at;
      float* out = y.data() + at;
      for (int64_t i = 0; i < planes.area; ++i) out[i] = in[i] * line.slope + line.shift;
      if (range != nullptr) range->Limit(out, planes.area);
    });
  });
}

void BackwardPlain(const Node& node, OpInputs inputs, const BatchShare& share,
                   const BatchMoments& moments, const Tensor& grad_y, OpOutputs grad_inputs) {
  const Tensor& x = *inputs[0];
  const Planes planes(x);
  std::vector<PlaneSums> sums(static_cast<size_t>(planes.channels));
  ParallelFor(planes.channels, [&](int64_t c) {
    PlaneSums& of_channel = sums[static_cast<size_t>(c)];
    planes.ForChannel(c, [&](int64_t at) {
      of_channel.sum += PlaneSum(grad_y.data() + at, planes.area);
      of_channel.square += PlaneDot(grad_y.data() + at, x.data() + at, planes.area);
    });
    DifferentiateScale(node, c, moments, of_channel, grad_inputs);
  });
  if (grad_inputs[0] == nullptr) return;
  JoinSums(share, sums);
  ParallelFor(planes.channels, [&](int64_t c) {
    const InputGradient gradient =
        DifferentiateInput(node, inputs, c, moments, sums[static_cast<size_t>(c)]);
    planes.ForChannel(c, [&](int64_t at) {
      Fill(gradient, x.data() + at, grad_y.data() + at, planes.area, grad_inputs[0]->data() + at);
    });
  });
}

}  // namespace

BatchMoments BatchNormalizationTrain(const Node& node, OpInputs inputs, Tensor& y, bool blocked,
                                     const BatchShare& share, const ValueRange* range) {
  const Planes planes(*inputs[0]);
  BatchMoments moments;
  moments.count = planes.Count();
  moments.mean.resize(static_cast<size_t>(planes.channels));
  moments.variance.resize(static_cast<size_t>(planes.channels));
  const auto train = blocked ? BatchNormalizationTrainBlocked : TrainPlain;
  train(node, inputs, share, range, moments, y);
  return moments;
}

void BatchNormalizationTrainBackward(const Node& node, OpInputs inputs, const BatchMoments& moments,
                                     const Tensor& grad_y, OpOutputs grad_inputs, bool blocked,
                                     const BatchShare& share) {
  if (grad_inputs[3] != nullptr || grad_inputs[4] != nullptr) {
    FailNode(node, "running mean and variance play no part in training and have no gradient");
  }
  const auto backward = blocked ? BatchNormalizationTrainBackwardBlocked : BackwardPlain;
  backward(node, inputs, share, moments, grad_y, grad_inputs);
}

}  // namespace sparsify

#include "sparsity/ops/batch_normalization_blocked.h"

#include <vector>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/channel_blocks.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

static_assert(kChannelBlock == kLanes);

// An N×C×… tensor as blocks of memory: kLanes channels of one image.
struct Blocks {
  explicit Blocks(const Tensor& x)
      : batch(x.shape()[0]),
        groups(x.shape()[1] / kLanes),
        area(ProductOf(x.shape(), 2, x.shape().rank())) {}

  // sum(position of the block, its first channel, sums of the lanes, their squares) for all blocks,
  // added over the images in their order.
  template <class Sum>
  std::vector<PlaneSums> SumChannels(const Sum& sum) const {
    struct Lanes {
      double sums[kLanes] = {};
      double squares[kLanes] = {};
    };
    std::vector<Lanes> of_blocks(static_cast<size_t>(batch * groups));
    ForAll([&](int64_t block, int64_t at, int64_t channel) {
      Lanes& lanes = of_blocks[static_cast<size_t>(block)];
      sum(at, channel, lanes.sums, lanes.squares);
    });
    std::vector<PlaneSums> totals(static_cast<size_t>(groups * kLanes));
    for (size_t i = 0; i < of_blocks.size(); ++i) {
      for (size_t lane = 0; lane < kLanes; ++lane) {
        PlaneSums& total = totals[i % static_cast<size_t>(groups) * kLanes + lane];
        total.sum += of_blocks[i].sums[lane];
        total.square += of_blocks[i].squares[lane];
      }
    }
    return totals;
  }

  // body(block, its position, its first channel) for all blocks.
  template <class Body>
  void ForAll(const Body& body) const {
    ParallelFor(batch * groups, [&](int64_t block) {
      body(block, block * area * kLanes, block % groups * kLanes);
    });
  }

  int64_t batch;
  int64_t groups;
  int64_t area;
};

}  // namespace

void BatchNormalizationTrainBlocked(const Node& node, OpInputs inputs, const BatchShare& share,
                                    const ValueRange* range, BatchMoments& moments, Tensor& y) {
  const Tensor& x = *inputs[0];
  const Blocks blocks(x);
  std::vector<float> origins;  // the first pixel: near the mean, squares lose nothing
  for (int64_t c = 0; c < blocks.groups * kLanes; ++c) {
    origins.push_back(x[c / kLanes * kLanes * blocks.area + c % kLanes]);
  }
  std::vector<PlaneSums> sums =
      blocks.SumChannels([&](int64_t at, int64_t channel, double* lanes, double* squares) {
        LaneMoments(x.data() + at, origins.data() + channel, blocks.area, lanes, squares);
      });
  JoinMoments(node, inputs, share, origins, sums, moments);
  std::vector<float> slopes(sums.size());
  std::vector<float> shifts(sums.size());
  for (size_t c = 0; c < sums.size(); ++c) {
    const auto channel = static_cast<int64_t>(c);
    const auto [slope, shift] =
        NormaliseChannel(node, inputs, channel, origins[c], sums[c], moments);
    slopes[c] = slope;
    shifts[c] = shift;
  }
  blocks.ForAll([&](int64_t /*block*/, int64_t at, int64_t channel) {
    ScaleLanes(x.data() + at, slopes.data() + channel, shifts.data() + channel, blocks.area,
               y.data() + at);
    if (range != nullptr) range->Limit(y.data() + at, blocks.area * kLanes);
  });
}

void BatchNormalizationTrainBackwardBlocked(const Node& node, OpInputs inputs,
                                            const BatchShare& share, const BatchMoments& moments,
                                            const Tensor& grad_y, OpOutputs grad_inputs) {
  const Tensor& x = *inputs[0];
  const Blocks blocks(x);
  std::vector<PlaneSums> sums =
      blocks.SumChannels([&](int64_t at, int64_t /*channel*/, double* lanes, double* dots) {
        LaneDots(grad_y.data() + at, x.data() + at, blocks.area, lanes, dots);
      });
  for (size_t c = 0; c < sums.size(); ++c) {
    DifferentiateScale(node, static_cast<int64_t>(c), moments, sums[c], grad_inputs);
  }
  if (grad_inputs[0] == nullptr) return;
  JoinSums(share, sums);
  std::vector<LanePlanes> planes(static_cast<size_t>(blocks.groups));
  for (size_t c = 0; c < sums.size(); ++c) {
    const InputGradient of =
        DifferentiateInput(node, inputs, static_cast<int64_t>(c), moments, sums[c]);
    LanePlanes& group = planes[c / kLanes];
    group.slope[c % kLanes] = of.slope;
    group.along[c % kLanes] = of.along;
    group.center[c % kLanes] = of.center;
    group.shift[c % kLanes] = of.shift;
  }
  blocks.ForAll([&](int64_t /*block*/, int64_t at, int64_t channel) {
    CombineLanes(planes[static_cast<size_t>(channel / kLanes)], grad_y.data() + at, x.data() + at,
                 blocks.area, grad_inputs[0]->data() + at);
  });
}

}  // namespace sparsify

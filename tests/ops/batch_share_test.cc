// Batch norm in training on shares of a batch, against the same on the whole of it.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "sparsity/ops/batch_normalization_training.h"
#include "sparsity/ops/channel_blocks.h"
#include "sparsity/ops/graph_pass.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/oracle.h"
#include "tests/support/random_tensor.h"
#include "tests/support/thread_ranks.h"

namespace sparsify {
namespace {

using testing::MessageOf;
using testing::RandomTensor;
using testing::RelativeError;
using testing::RunRanks;
using testing::Same;

// Rows [begin, end) of the first dimension; where there are none, one of ones.
Tensor Rows(const Tensor& x, int64_t begin, int64_t end) {
  Shape shape = x.shape();
  const int64_t size = x.size() / shape[0];
  shape.set_dim(0, std::max<int64_t>(1, end - begin));
  Tensor rows(shape);
  rows.Fill(1);
  std::copy_n(x.data() + begin * size, (end - begin) * size, rows.data());
  return rows;
}

Tensor Blocked(const Tensor& x, bool blocked) {
  if (!blocked) return x;
  Tensor result;
  ToChannelBlocks(x, result);
  return result;
}

struct Results {
  Tensor y;
  Tensor mean;
  Tensor variance;
  std::vector<Tensor> gradients;  // of x, scale, bias
};

// A node on some rows of x and grad_y.
struct Problem {
  Problem(uint64_t seed, const Shape& shape, float offset = 0) : random(seed) {
    x = RandomTensor(random, shape);
    for (float& v : x.values()) v += offset;
    grad_y = RandomTensor(random, shape);
    scale = RandomTensor(random, {shape[1]});
    bias = RandomTensor(random, {shape[1]});
    running = Tensor({shape[1]});
  }

  Results Run(int64_t begin, int64_t end, bool blocked, const BatchShare& share) const {
    const Tensor rows = Blocked(Rows(x, begin, end), blocked);
    const Tensor grad_rows = Blocked(Rows(grad_y, begin, end), blocked);
    const std::vector<const Tensor*> inputs = {&rows, &scale, &bias, &running, &running};
    Results results = {Tensor(rows.shape()), {}, {}, {rows, scale, bias}};
    const BatchMoments moments = BatchNormalizationTrain(node, inputs, results.y, blocked, share);
    results.mean = moments.Mean();
    results.variance = moments.UnbiasedVariance();
    auto& g = results.gradients;
    const std::vector<Tensor*> wanted = {&g[0], &g[1], &g[2], nullptr, nullptr};
    BatchNormalizationTrainBackward(node, inputs, moments, grad_rows, wanted, blocked, share);
    return results;
  }

  Random random;
  Node node{"bn", OpType::kBatchNormalization, {0, 1, 2, 3, 4}, {5}, {}};
  Tensor x;
  Tensor grad_y;
  Tensor scale;
  Tensor bias;
  Tensor running;
};

// `ends`: where each rank's rows end.
void CheckShares(const Problem& p, bool blocked, const std::vector<int64_t>& ends) {
  const Results whole = p.Run(0, p.x.shape()[0], blocked, {});
  RunRanks(static_cast<int>(ends.size()), [&](Communicator& ranks) {
    const auto rank = static_cast<size_t>(ranks.Rank());
    const int64_t begin = rank == 0 ? 0 : ends[rank - 1];
    const bool is_empty = begin == ends[rank];
    Results part = p.Run(begin, ends[rank], blocked, {&ranks, is_empty});
    EXPECT_LT(RelativeError(part.mean, whole.mean), 1e-6);
    EXPECT_LT(RelativeError(part.variance, whole.variance), 1e-6);
    const int64_t row = p.x.size() / p.x.shape()[0];
    if (!is_empty) {
      // Blocks lie within an image: rows are contiguous in both layouts.
      EXPECT_LT(RelativeError(part.y, Rows(whole.y, begin, ends[rank])), 1e-6);
      EXPECT_LT(RelativeError(part.gradients[0], Rows(whole.gradients[0], begin, ends[rank])),
                2e-6);
      EXPECT_EQ(part.y.size(), row * (ends[rank] - begin));
    }
    for (size_t k = 1; k < 3; ++k) {
      if (is_empty) part.gradients[k].Fill(0);
      ranks.AllReduceSum(part.gradients[k].values());
      EXPECT_LT(RelativeError(part.gradients[k], whole.gradients[k]), 2e-6) << k;
    }
  });
}

TEST(BatchShare, MomentsAndGradientsAreTheWholeBatchs) {
  CheckShares(Problem(1, {6, 5, 3, 4}), false, {3, 6});
  CheckShares(Problem(2, {6, 5, 3, 4}), false, {1, 2, 6});
  CheckShares(Problem(3, {6, 32, 3, 4}), true, {3, 6});
  CheckShares(Problem(4, {7, 16, 5, 1}), true, {2, 6, 7});
  CheckShares(Problem(5, {4, 3}), false, {1, 2, 3, 4});
}

TEST(BatchShare, AnEmptyShareCountsForNothing) {
  CheckShares(Problem(6, {4, 5, 3, 4}), false, {0, 4});
  CheckShares(Problem(7, {4, 5, 3, 4}), false, {2, 2, 4});
  CheckShares(Problem(8, {4, 16, 3, 3}), true, {4, 4});
}

TEST(BatchShare, ValuesFarFromZeroKeepTheirVariance) {
  CheckShares(Problem(9, {8, 3, 5, 5}, 1000), false, {4, 8});
  CheckShares(Problem(10, {8, 16, 5, 5}, 1000), true, {1, 8});
}

TEST(BatchShare, OneValueAChannelInTheWholeBatchIsRefused) {
  const Problem p(11, {1, 2});
  EXPECT_EQ(
      MessageOf([&] {
        RunRanks(2, [&](Communicator& ranks) {
          p.Run(0, ranks.Rank(), false, {&ranks, ranks.Rank() == 0});
        });
      }),
      "BatchNormalization \"bn\": input [1,2] has one value a channel, of which training takes "
      "no variance; use a larger batch");
  // One value each is enough.
  CheckShares(Problem(12, {2, 3}), false, {1, 2});
}

TEST(BatchShare, OfARankAloneIsTheWholeBitByBit) {
  const Problem p(13, {5, 16, 4, 4});
  Communicator alone;
  for (const bool blocked : {false, true}) {
    const Results whole = p.Run(0, 5, blocked, {});
    const Results same = p.Run(0, 5, blocked, {&alone, false});
    EXPECT_TRUE(Same(same.y, whole.y));
    for (size_t k = 0; k < 3; ++k) EXPECT_TRUE(Same(same.gradients[k], whole.gradients[k]));
  }
}

// Two convolutions with batch norm, in blocks and not.
TEST(BatchShare, APassOverSharesAddsUpToThePassOverTheBatch) {
  testing::GraphBuilder b("net");
  ValueId v = b.Input({3, 6, 6});
  v = b.Relu("relu1", b.BatchNorm("bn1", b.Conv("conv1", v, 3, 16, 3, 1, 1), 16));
  v = b.BatchNorm("bn2", b.Conv("conv2", v, 16, 5, 3, 1, 1), 5);
  const Graph graph = b.Finish({v});
  Random random(14);
  const Tensor x = RandomTensor(random, {5, 3, 6, 6});
  const Tensor grad = RandomTensor(random, {5, 5, 6, 6});
  const auto gradients = [&](const Tensor& images, const Tensor& grad_y, const BatchShare& share) {
    GraphPass pass = GraphPass::WholeNetwork(graph, BatchNormMode::kTraining);
    pass.Share(share);
    pass.Forward({{graph.inputs[0].value, &images}}, {});
    std::map<ValueId, Tensor> wanted;
    for (const char* name : {"conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight"}) {
      wanted[graph.FindValue(name)];
    }
    pass.Backward({{v, &grad_y}}, wanted);
    return wanted;
  };
  const auto whole = gradients(x, grad, {});
  RunRanks(2, [&](Communicator& ranks) {
    const int64_t begin = ranks.Rank() == 0 ? 0 : 2;
    const int64_t end = ranks.Rank() == 0 ? 2 : 5;
    auto parts = gradients(Rows(x, begin, end), Rows(grad, begin, end), {&ranks, false});
    for (auto& [id, part] : parts) {
      ranks.AllReduceSum(part.values());
      EXPECT_LT(RelativeError(part, whole.at(id)), 1e-5) << graph.value(id).name;
    }
  });
}

}  // namespace
}  // namespace sparsify

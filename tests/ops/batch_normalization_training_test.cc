#include "sparsity/ops/batch_normalization_training.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/channel_blocks.h"
#include "tests/reference/normalization.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using reference::Array;
using testing::Close;
using testing::MessageOf;
using testing::RandomInt;
using testing::RandomTensor;
using testing::Same;
using testing::ToArray;

constexpr double kEpsilon = 1e-3;

// A node with its inputs and a gradient of its output.
struct Problem {
  Problem(Random& random, const Shape& shape)
      : x(RandomTensor(random, shape)),
        scale(RandomTensor(random, {shape[1]})),
        bias(RandomTensor(random, {shape[1]})),
        running(Shape{shape[1]}),
        grad_y(RandomTensor(random, shape)) {
    node.attributes.Set("epsilon", kEpsilon);
  }

  std::vector<const Tensor*> Inputs() const { return {&x, &scale, &bias, &running, &running}; }

  BatchMoments Forward(Tensor& y) const {
    y = Tensor(x.shape());
    y.Fill(std::nanf(""));
    return BatchNormalizationTrain(node, Inputs(), y);
  }

  // Of x, scale and bias where `wanted`; memory full of NaN before.
  std::vector<Tensor> Backward(const std::vector<bool>& wanted) const {
    Tensor y;
    const BatchMoments moments = Forward(y);
    std::vector<Tensor> gradients = {x, scale, bias, {}, {}};
    std::vector<Tensor*> pointers(5, nullptr);
    for (size_t i = 0; i < wanted.size(); ++i) {
      gradients[i].Fill(std::nanf(""));
      if (wanted[i]) pointers[i] = &gradients[i];
    }
    BatchNormalizationTrainBackward(node, Inputs(), moments, grad_y, pointers);
    return gradients;
  }

  Node node{"bn", OpType::kBatchNormalization, {0, 1, 2, 3, 4}, {5}, {}};
  Tensor x;
  Tensor scale;
  Tensor bias;
  Tensor running;  // zeros: nothing may read them
  Tensor grad_y;
};

Problem RandomProblem(uint64_t seed) {
  Random random(seed);
  std::vector<int64_t> dims = {RandomInt(random, 2, 4), RandomInt(random, 1, 5)};
  for (uint64_t i = 0; i < seed % 4; ++i) dims.push_back(RandomInt(random, 1, 5));
  return {random, Shape(dims)};
}

TEST(BatchNormalizationTrain, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    const Problem p = RandomProblem(seed);
    Tensor y;
    p.Forward(y);
    const Array expected =
        BatchNormalizationInTraining(ToArray(p.x), ToArray(p.scale), ToArray(p.bias), kEpsilon);
    // |x · a|, |mean · a| and |bias| are below 30 with normal inputs whose deviation is not tiny.
    EXPECT_TRUE(Close(y, expected, 4, 30));
  }
}

TEST(BatchNormalizationTrain, KeepsTheVarianceOfValuesFarFromZero) {
  Random random(4);
  Problem p(random, {16, 2, 5, 5});
  for (float& v : p.x.values()) v = 4096 + v;  // rounds to steps of 2^-11: the reference's too
  Tensor y;
  const BatchMoments moments = p.Forward(y);
  const Array x = ToArray(p.x);
  double mean = 0;
  double square = 0;
  reference::ForEach(x.dims,
                     [&](const reference::Dims& at) { mean += at[1] == 1 ? x.At(at) / 400 : 0; });
  reference::ForEach(x.dims, [&](const reference::Dims& at) {
    square += at[1] == 1 ? std::pow(x.At(at) - mean, 2) : 0;
  });
  EXPECT_EQ(moments.count, 400);
  EXPECT_NEAR(moments.mean[1], mean, 1e-9);
  EXPECT_NEAR(moments.variance[1], square / 400, 1e-11);
  EXPECT_NEAR(moments.UnbiasedVariance()[1], square / 399, 1e-6);
  EXPECT_EQ(moments.Mean()[1], static_cast<float>(moments.mean[1]));
}

double ReferenceLoss(const std::vector<Array>& in, const Tensor& grad_y) {
  const Array y = BatchNormalizationInTraining(in[0], in[1], in[2], kEpsilon);
  double loss = 0;
  for (size_t i = 0; i < y.values.size(); ++i) {
    loss += y.values[i] * grad_y[static_cast<int64_t>(i)];
  }
  return loss;
}

TEST(BatchNormalizationTrainBackward, AgreesWithDifferences) {
  constexpr double kStep = 1e-5;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const Problem p = RandomProblem(seed);
    const std::vector<Tensor> gradients = p.Backward({true, true, true});
    std::vector<Array> in = {ToArray(p.x), ToArray(p.scale), ToArray(p.bias)};
    for (size_t k = 0; k < in.size(); ++k) {
      Array expected = reference::Zeros(in[k].dims);
      for (size_t i = 0; i < in[k].values.size(); ++i) {
        const double x = in[k].values[i];
        in[k].values[i] = x + kStep;
        const double above = ReferenceLoss(in, p.grad_y);
        in[k].values[i] = x - kStep;
        const double below = ReferenceLoss(in, p.grad_y);
        in[k].values[i] = x;
        expected.values[i] = (above - below) / (2 * kStep);
      }
      // Terms are below 30, slopes of channels with little variance (1 / √0.001) included.
      EXPECT_TRUE(Close(gradients[k], expected, 8, 30)) << k;
      std::vector<bool> alone(3, false);
      alone[k] = true;
      EXPECT_TRUE(Same(p.Backward(alone)[k], gradients[k])) << k;
    }
    Tensor y;
    const BatchMoments moments = p.Forward(y);
    Tensor in_place = p.grad_y;
    BatchNormalizationTrainBackward(
        p.node, p.Inputs(), moments, in_place,
        std::vector<Tensor*>{&in_place, nullptr, nullptr, nullptr, nullptr});
    EXPECT_TRUE(Same(in_place, gradients[0]));
  }
}

TEST(BatchNormalizationTrain, IsTheSameOnChannelBlocks) {
  Random random(6);
  Problem p(random, {3, 32, 5, 3});
  for (float& v : p.x.values()) v = 3 + v;
  Tensor y;
  const BatchMoments moments = p.Forward(y);
  const auto expected = p.Backward({true, true, true});
  Problem blocked = p;
  ToChannelBlocks(p.x, blocked.x);
  ToChannelBlocks(p.grad_y, blocked.grad_y);
  Tensor blocked_y(p.x.shape());
  const BatchMoments of_blocks =
      BatchNormalizationTrain(p.node, blocked.Inputs(), blocked_y, /*blocked=*/true);
  Tensor gradient = blocked.grad_y;
  Tensor grad_scale(p.scale.shape());
  Tensor grad_bias(p.bias.shape());
  BatchNormalizationTrainBackward(
      p.node, blocked.Inputs(), of_blocks, gradient,
      std::vector<Tensor*>{&gradient, &grad_scale, &grad_bias, nullptr, nullptr}, true);
  EXPECT_EQ(of_blocks.count, moments.count);
  for (size_t c = 0; c < 32; ++c) {
    EXPECT_NEAR(of_blocks.mean[c], moments.mean[c], 1e-12);
    EXPECT_NEAR(of_blocks.variance[c], moments.variance[c], 1e-12);
  }
  // The same formulas, fused or not, in float.
  Tensor plain;
  FromChannelBlocks(blocked_y, plain);
  EXPECT_TRUE(Close(plain, ToArray(y), 2, 8));
  FromChannelBlocks(gradient, plain);
  EXPECT_TRUE(Close(plain, ToArray(expected[0]), 4, 8));
  EXPECT_TRUE(Close(grad_scale, ToArray(expected[1]), 1, 1));
  EXPECT_TRUE(Close(grad_bias, ToArray(expected[2]), 1, 1));
}

// torch 2.15, torch.nn.functional.batch_norm(x, …, training=True, momentum=1, eps=1e-5).
TEST(BatchNormalizationTrain, AgreesWithPyTorch) {
  Random random(1);
  Problem p(random, {2, 2, 1, 2});
  p.node.attributes.Set("epsilon", 1e-5);
  p.x = Tensor({2, 2, 1, 2}, {0.5, -1.25, 2.0, 0.75, 1.5, -0.5, 3.0, 2.5});
  p.scale = Tensor({2}, {1.5, -0.5});
  p.bias = Tensor({2}, {0.25, 1.0});
  p.grad_y = Tensor({2, 2, 1, 2}, {1.0, -2.0, 0.5, 0.25, -1.5, 0.75, 2.0, -0.125});
  Tensor y;
  const BatchMoments moments = p.Forward(y);
  const Array expected_y = {{2, 2, 1, 2},
                            {0.883170903, -1.64951265, 1.0373714, 1.78480113, 2.33041859,
                             -0.564076841, 0.439427614, 0.738399506}};
  const Array expected_x = {{2, 2, 1, 2},
                            {2.00904369, -2.04719973, 0.0739081353, -0.167017519, -1.77221847,
                             1.8103745, -0.510678232, 0.603787661}};
  EXPECT_TRUE(Close(y, expected_y, 4, 2));
  EXPECT_TRUE(Close(moments.Mean(), {{2}, {0.0625, 2.0625}}, 1));
  EXPECT_TRUE(Close(moments.UnbiasedVariance(), {{2}, {1.43229163, 0.932291687}}, 2));
  const std::vector<Tensor> gradients = p.Backward({true, true, true});
  EXPECT_TRUE(Close(gradients[0], expected_x, 8, 2));
  EXPECT_TRUE(Close(gradients[1], {{2}, {0.46734041, 1.74711704}}, 8, 2));
  EXPECT_TRUE(Close(gradients[2], {{2}, {-1.75, 2.625}}, 1));
}

TEST(BatchNormalizationTrain, IsTheSameOnAnyThreads) {
  Random random(2);
  const Problem p(random, {3, 7, 9, 9});
  SetThreads(1);
  Tensor one;
  p.Forward(one);
  const auto of_one = p.Backward({true, true, true});
  SetThreads(4);
  Tensor four;
  p.Forward(four);
  const auto of_four = p.Backward({true, true, true});
  SetThreads(0);
  EXPECT_TRUE(Same(four, one));
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(Same(of_four[i], of_one[i])) << i;
}

TEST(BatchNormalizationTrain, SaysWhatDoesNotFit) {
  Random random(3);
  const Problem single(random, {1, 3, 1, 1});
  Tensor y;
  EXPECT_EQ(MessageOf([&] { single.Forward(y); }),
            "BatchNormalization \"bn\": input [1,3,1,1] has one value a channel, of which training "
            "takes no variance; use a larger batch");
  const Problem p(random, {2, 3});
  const BatchMoments moments = p.Forward(y);
  Tensor gradient(Shape{3});
  EXPECT_EQ(MessageOf([&] {
              BatchNormalizationTrainBackward(
                  p.node, p.Inputs(), moments, p.grad_y,
                  std::vector<Tensor*>{nullptr, nullptr, nullptr, nullptr, &gradient});
            }),
            "BatchNormalization \"bn\": running mean and variance play no part in training and "
            "have no gradient");
}

}  // namespace
}  // namespace sparsify

#include "reconstruction/output_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using testing::MessageOf;

double Kl(const std::vector<double>& p, const std::vector<double>& q) {
  double sum = 0;
  for (size_t k = 0; k < p.size(); ++k) sum += p[k] * std::log(p[k] / q[k]);
  return sum;
}

Tensor Logits(const std::vector<std::vector<double>>& probabilities, float shift) {
  std::vector<float> values;
  for (const auto& row : probabilities) {
    for (const double p : row) values.push_back(static_cast<float>(std::log(p)) + shift);
  }
  return Tensor(
      {static_cast<int64_t>(probabilities.size()), static_cast<int64_t>(probabilities[0].size())},
      values);
}

TEST(OutputLoss, KlIsTheMeanDivergenceWhateverTheLogitsOffset) {
  const std::vector<std::vector<double>> p = {{0.5, 0.25, 0.25}, {0.1, 0.2, 0.7}};
  const std::vector<std::vector<double>> q = {{0.25, 0.5, 0.25}, {0.6, 0.3, 0.1}};
  for (const float shift : {0.0F, 300.0F, -300.0F}) {
    OutputLoss loss(OutputLossKind::kKl);
    loss.Add(Logits(p, shift), Logits(q, -shift));
    EXPECT_NEAR(loss.Value(), (Kl(p[0], q[0]) + Kl(p[1], q[1])) / 2, 1e-4);
    loss.Add(Logits(p, shift), Logits(p, 0));
    EXPECT_NEAR(loss.Value(), (Kl(p[0], q[0]) + Kl(p[1], q[1])) / 4, 1e-4);
    EXPECT_EQ(loss.images(), 4);
  }
}

TEST(OutputLoss, EqualOutputsCostNothing) {
  const Tensor logits({2, 3}, {1, -50, 1000, 3, 3, 3});
  for (const auto kind : {OutputLossKind::kKl, OutputLossKind::kMse}) {
    OutputLoss loss(kind);
    EXPECT_EQ(loss.Value(), 0);
    loss.Add(logits, logits);
    EXPECT_EQ(loss.Value(), 0);
  }
}

TEST(OutputLoss, MseIsRelativeToTheSpreadOverImages) {
  OutputLoss loss(OutputLossKind::kMse);
  // Class 0: 1, 3 (mean 2, spread 2); class 1: 10, 10 (spread 0).
  loss.Add(Tensor({1, 2}, {1, 10}), Tensor({1, 2, 1, 1}, {2, 10}));
  loss.Add(Tensor({1, 2}, {3, 10}), Tensor({1, 2}, {3, 12}));
  EXPECT_DOUBLE_EQ(loss.Value(), (1.0 + 4.0) / 2.0);
}

TEST(OutputLoss, WhatIsNotFiniteShows) {
  OutputLoss loss(OutputLossKind::kKl);
  loss.Add(Tensor({1, 2}, {0, 0}), Tensor({1, 2}, {0, NAN}));
  EXPECT_FALSE(std::isfinite(loss.Value()));
}

TEST(OutputLoss, RefusesOtherShapes) {
  OutputLoss loss(OutputLossKind::kKl);
  EXPECT_EQ(MessageOf([&] {
              loss.Add(Tensor(Shape{2, 3}), Tensor(Shape{2, 4}));
            }),
            "loss: outputs of shape [2,4] against [2,3]");
  EXPECT_EQ(MessageOf([&] {
              loss.Add(Tensor(Shape{2, 3}), Tensor(Shape{3, 2}));
            }),
            "loss: outputs of shape [3,2] against [2,3]");
}

}  // namespace
}  // namespace sparsify

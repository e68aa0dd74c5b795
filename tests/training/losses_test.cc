#include "sparsity/training/losses.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "sparsity/base/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/gradient_check.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::Close;
using testing::ExpectDifferences;
using testing::MessageOf;
using testing::RandomTensor;
using testing::ToArray;
using Values = std::vector<double>;

constexpr size_t kRows = 3;
constexpr size_t kClasses = 5;

Values Softmax(const Values& logits, size_t row, double temperature) {
  Values p;
  double sum = 0;
  for (size_t k = 0; k < kClasses; ++k) {
    p.push_back(std::exp(logits[row * kClasses + k] / temperature));
    sum += p.back();
  }
  for (double& x : p) x /= sum;
  return p;
}

double ReferenceCrossEntropy(const Values& logits, const std::vector<int64_t>& labels,
                             double smoothing) {
  double total = 0;
  for (size_t row = 0; row < kRows; ++row) {
    const Values p = Softmax(logits, row, 1);
    for (size_t k = 0; k < kClasses; ++k) {
      const double hard = static_cast<int64_t>(k) == labels[row] ? 1 : 0;
      total -= ((1 - smoothing) * hard + smoothing / kClasses) * std::log(p[k]) / kRows;
    }
  }
  return total;
}

double ReferenceDivergence(const Values& student, const Values& teacher, double temperature) {
  double total = 0;
  for (size_t row = 0; row < kRows; ++row) {
    const Values q = Softmax(student, row, temperature);
    const Values p = Softmax(teacher, row, temperature);
    for (size_t k = 0; k < kClasses; ++k) total += p[k] * std::log(p[k] / q[k]) / kRows;
  }
  return total;
}

TEST(CrossEntropy, IsItsDefinitionWithItsGradient) {
  Random random(1);
  const Tensor logits = RandomTensor(random, {kRows, kClasses, 1, 1});
  const std::vector<int64_t> labels = {4, 0, 2};
  for (const double smoothing : {0.0, 0.1, 1.0}) {
    const auto reference = [&](const Values& at) {
      return ReferenceCrossEntropy(at, labels, smoothing);
    };
    Tensor gradient;
    EXPECT_NEAR(CrossEntropy(logits, labels, smoothing, &gradient),
                reference(ToArray(logits).values), 1e-9);
    EXPECT_NEAR(CrossEntropy(logits, labels, smoothing, nullptr), reference(ToArray(logits).values),
                1e-9);
    EXPECT_EQ(gradient.shape(), logits.shape());
    ExpectDifferences(gradient, ToArray(logits).values, reference);
  }
}

// torch 2.15, torch.nn.functional.cross_entropy(logits, labels, label_smoothing=…).
TEST(CrossEntropy, IsPyTorchs) {
  const Tensor logits({3, 4}, {1.0, -2.0, 0.5, 3.0, 0.0, 0.25, -0.75, 1.5, 2.0, 2.0, -1.0, 0.5});
  const std::vector<int64_t> labels = {3, 0, 1};
  Tensor gradient;
  EXPECT_NEAR(CrossEntropy(logits, labels, 0, &gradient), 1.00089133, 2e-7);
  EXPECT_TRUE(
      Close(gradient,
            {{3, 4},
             {0.0368512459, 0.00183471595, 0.0223514102, -0.061037384, -0.287280619, 0.0591328666,
              0.0217537694, 0.206393987, 0.146654412, -0.186678931, 0.00730149262, 0.0327230208}},
            2, 1));
  EXPECT_NEAR(CrossEntropy(logits, labels, 0.1, &gradient), 1.10922468, 2e-7);
  EXPECT_TRUE(
      Close(gradient,
            {{3, 4},
             {0.0285179093, -0.00649861805, 0.0140180737, -0.0360373706, -0.262280583, 0.0507995225,
              0.0134204309, 0.198060617, 0.138321057, -0.161678925, -0.0010318422, 0.0243896805}},
            2, 1));
}

TEST(CrossEntropy, SurvivesLargeLogitsAndShowsBrokenOnes) {
  EXPECT_NEAR(CrossEntropy(Tensor({1, 3}, {900, -900, 0}), {1}, 0, nullptr), 1800, 1e-9);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float broken : {std::nanf(""), infinity}) {
    EXPECT_FALSE(std::isfinite(CrossEntropy(Tensor({1, 3}, {0, broken, 1}), {0}, 0, nullptr)));
    EXPECT_FALSE(std::isfinite(CrossEntropy(Tensor({1, 3}, {broken, 0, 1}), {1}, 0, nullptr)));
  }
}

TEST(CrossEntropy, DoesNotDependOnThreads) {
  Random random(3);
  const Tensor logits = RandomTensor(random, {64, 10});
  const std::vector<int64_t> labels(64, 7);
  SetThreads(1);
  const double one = CrossEntropy(logits, labels, 0.1, nullptr);
  SetThreads(4);
  EXPECT_EQ(CrossEntropy(logits, labels, 0.1, nullptr), one);
  SetThreads(0);
}

TEST(CrossEntropy, SaysWhatDoesNotFit) {
  const auto message = [](const Shape& shape, const std::vector<int64_t>& labels,
                          double smoothing) {
    return MessageOf([&] { CrossEntropy(Tensor(shape), labels, smoothing, nullptr); });
  };
  EXPECT_EQ(message({2, 3}, {0, 3}, 0),
            "cross-entropy: label 3 of image 1 of the batch is not among the network's 3 classes "
            "(0 … 2); check data.transform.label_offset and the labels");
  EXPECT_EQ(message({2, 3}, {-1, 0}, 0),
            "cross-entropy: label -1 of image 0 of the batch is not among the network's 3 classes "
            "(0 … 2); check data.transform.label_offset and the labels");
  EXPECT_EQ(message({2, 3}, {0}, 0), "cross-entropy: 1 labels given for 2 rows of class scores");
  EXPECT_EQ(message({2, 3}, {0, 1}, 1.5), "cross-entropy: label smoothing 1.5, expected 0 … 1");
  EXPECT_EQ(message({2, 3, 4, 4}, {0, 1}, 0),
            "cross-entropy: the network gives [2,3,4,4], expected one row of class scores for each "
            "image");
}

TEST(Losses, OfSharesAddUpToTheBatchs) {
  Random random(8);
  const Tensor logits = RandomTensor(random, {5, 3});
  const Tensor teacher = RandomTensor(random, {5, 3});
  const std::vector<int64_t> labels = {0, 2, 1, 1, 0};
  const auto losses = [&](int64_t begin, int64_t end, int64_t batch, Tensor& gradient) {
    Tensor rows({end - begin, 3});
    Tensor taught({end - begin, 3});
    std::copy_n(logits.data() + begin * 3, rows.size(), rows.data());
    std::copy_n(teacher.data() + begin * 3, rows.size(), taught.data());
    const std::vector<int64_t> own(labels.begin() + begin, labels.begin() + end);
    return CrossEntropy(rows, own, 0.1, &gradient, batch) +
           DistillationLoss(rows, taught, 2, 0.5, &gradient, batch);
  };
  Tensor whole;
  const double loss = losses(0, 5, 0, whole);
  Tensor first;
  Tensor second;
  EXPECT_NEAR(losses(0, 2, 5, first) + losses(2, 5, 5, second), loss, 1e-12);
  for (int64_t i = 0; i < whole.size(); ++i) {
    EXPECT_FLOAT_EQ(i < 6 ? first[i] : second[i - 6], whole[i]);
  }
}

TEST(DistillationLoss, IsTheDivergenceOfThePredictionsWithItsGradient) {
  Random random(1);
  const Tensor student = RandomTensor(random, {kRows, kClasses, 1, 1});
  const Tensor teacher = RandomTensor(random, {kRows, kClasses, 1, 1});
  const Values p = ToArray(teacher).values;
  for (const double temperature : {1.0, 4.0}) {
    const auto reference = [&](const Values& q) {
      return 0.7 * temperature * temperature * ReferenceDivergence(q, p, temperature);
    };
    Tensor gradient(student.shape());
    EXPECT_NEAR(DistillationLoss(student, teacher, temperature, 0.7, &gradient),
                reference(ToArray(student).values), 1e-9);
    ExpectDifferences(gradient, ToArray(student).values, reference);
  }
}

// torch 2.15: 0.7 · T² · kl_div(log_softmax(student / T), softmax(teacher / T), "batchmean"), T
// = 4.
TEST(DistillationLoss, IsPyTorchs) {
  const Tensor student({3, 4}, {1.0, -2.0, 0.5, 3.0, 0.0, 0.25, -0.75, 1.5, 2.0, 2.0, -1.0, 0.5});
  const Tensor teacher({3, 4}, {0.5, -1.0, 0.0, 2.0, 1.0, 0.25, -0.5, 0.0, -1.0, 2.5, 1.0, 0.5});
  Tensor gradient(student.shape());
  EXPECT_NEAR(DistillationLoss(student, teacher, 4, 0.7, &gradient), 0.474311918, 1e-6);
  EXPECT_TRUE(Close(
      gradient,
      {{3, 4},
       {0.00122752087, -0.0492600761, 0.00108328252, 0.0469492041, -0.0686145797, -0.00634491351,
        -0.0167360585, 0.0916955099, 0.151858225, -0.0489259697, -0.0971124992, -0.00581977004}},
      4, 1));
}

TEST(DistillationLoss, AddsToTheGradient) {
  Random random(5);
  const Tensor student = RandomTensor(random, {2, 3});
  const Tensor teacher = RandomTensor(random, {2, 3});
  Tensor alone(student.shape());
  DistillationLoss(student, teacher, 2, 1, &alone);
  Tensor sum(student.shape());
  sum.Fill(8);
  DistillationLoss(student, teacher, 2, 1, &sum);
  for (int64_t i = 0; i < sum.size(); ++i) EXPECT_NEAR(sum[i], 8 + alone[i], 1e-6);
}

TEST(DistillationLoss, IsZeroForEqualLogitsAndSurvivesLargeOnes) {
  const Tensor a({2, 3}, {900, -900, 0, 1, 2, 3});
  const Tensor shifted({2, 3}, {-100, -1900, -1000, 11, 12, 13});
  EXPECT_EQ(DistillationLoss(a, a, 1, 1, nullptr), 0);
  EXPECT_NEAR(DistillationLoss(shifted, a, 1, 1, nullptr), 0, 1e-12);
  const Tensor other({2, 3}, {-900, 900, 0, 1, 2, 3});
  EXPECT_NEAR(DistillationLoss(other, a, 1, 1, nullptr), 900, 1e-9);
}

TEST(DistillationLoss, SaysWhatDoesNotFit) {
  const Tensor a(Shape{2, 3});
  Tensor gradient(Shape{3, 2});
  EXPECT_EQ(MessageOf([&] {
              DistillationLoss(a, Tensor(Shape{2, 4}), 1, 1, nullptr);
            }),
            "distillation: the student's output has shape [2,3], the dense network's [2,4]");
  EXPECT_EQ(MessageOf([&] { DistillationLoss(a, a, 1, 1, &gradient); }),
            "distillation: the gradient to add to has shape [3,2], [2,3] expected");
  EXPECT_EQ(MessageOf([&] { DistillationLoss(a, a, 0, 1, nullptr); }),
            "distillation: temperature 0, expected above 0");
  const Tensor maps(Shape{2, 3, 4, 4});
  EXPECT_EQ(MessageOf([&] { DistillationLoss(maps, maps, 1, 1, nullptr); }),
            "distillation: the network gives [2,3,4,4], expected one row of class scores for each "
            "image");
}

}  // namespace
}  // namespace sparsify

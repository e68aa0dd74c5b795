#include "sparsity/training/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <limits>
#include <numeric>
#include <set>

#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/random.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;

// A "network" that returns its input: each sample is its own row of logits.
class LogitsDataset : public Dataset {
 public:
  LogitsDataset(std::vector<std::vector<float>> logits, std::vector<int64_t> labels)
      : logits_(std::move(logits)), labels_(std::move(labels)) {}
  int64_t size() const override { return std::ssize(labels_); }
  Shape image_shape() const override { return {std::ssize(logits_[0]), 1, 1}; }
  int64_t Load(int64_t i, float* image) const override {
    if (broken.contains(i)) throw SampleSkipped("broken");
    std::copy(logits_[static_cast<size_t>(i)].begin(), logits_[static_cast<size_t>(i)].end(),
              image);
    return labels_[static_cast<size_t>(i)];
  }
  std::string NameOf(int64_t i) const override { return fmt::format("img{}.jpg", i); }

  std::set<int64_t> broken;

 private:
  std::vector<std::vector<float>> logits_;
  std::vector<int64_t> labels_;
};

void Identity(const Tensor& images, Tensor& logits) {
  logits = images;
  logits.Reshape({images.shape()[0], images.shape()[1]});
}

LogitsDataset RandomLogits(int64_t images, int64_t classes, uint64_t seed) {
  Random random(seed);
  std::vector<std::vector<float>> logits;
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < images; ++i) {
    std::vector<float>& row = logits.emplace_back();
    // Halves, so that ties occur.
    for (int64_t k = 0; k < classes; ++k) {
      row.push_back(0.5F * static_cast<float>(random.Below(9)) - 2);
    }
    labels.push_back(static_cast<int64_t>(random.Below(static_cast<uint64_t>(classes))));
  }
  return {logits, labels};
}

std::string MessageOf(const Dataset& dataset, const ForwardFunction& forward,
                      const EvaluateOptions& options) {
  try {
    Evaluate(dataset, forward, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// The same quantities from sorted orders and a plain softmax in long double.
TEST(Evaluate, AgreesWithSortingAndPlainSoftmax) {
  const int64_t images = 203;
  const size_t classes = 11;
  const LogitsDataset dataset = RandomLogits(images, classes, 3);
  std::vector<int64_t> reference;
  int64_t top1 = 0;
  int64_t top5 = 0;
  int64_t agreeing = 0;
  long double loss = 0;
  std::vector<float> row(classes);
  std::vector<int64_t> predictions;
  for (int64_t i = 0; i < images; ++i) {
    const auto label = static_cast<size_t>(dataset.Load(i, row.data()));
    std::vector<size_t> order(classes);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return row[a] > row[b]; });
    top1 += order[0] == label;
    top5 += std::find(order.begin(), order.begin() + 5, label) != order.begin() + 5;
    reference.push_back(i % 3 == 0 ? 0 : static_cast<int64_t>(order[0]));
    agreeing += reference.back() == static_cast<int64_t>(order[0]);
    predictions.push_back(static_cast<int64_t>(order[0]));
    long double sum = 0;
    for (const float logit : row) sum += std::exp(static_cast<long double>(logit));
    loss -= std::log(std::exp(static_cast<long double>(row[label])) / sum);
  }
  const auto percent = [&](int64_t count) { return 100.0 * static_cast<double>(count) / images; };
  for (const int64_t batch : {1, 32, 500}) {
    const Evaluation result =
        Evaluate(dataset, Identity, {.batch = batch, .reference = &reference});
    EXPECT_DOUBLE_EQ(result.top1, percent(top1));
    EXPECT_DOUBLE_EQ(result.top5, percent(top5));
    EXPECT_DOUBLE_EQ(result.agreement, percent(agreeing));
    EXPECT_NEAR(result.loss, static_cast<double>(loss / images), 1e-12);
    EXPECT_EQ(result.images, images);
    EXPECT_EQ(result.skipped, 0);
    EXPECT_EQ(result.predictions, predictions);
    EXPECT_GT(result.seconds, 0);
  }
}

TEST(Evaluate, TiesGoToTheLowerClass) {
  const LogitsDataset dataset({{1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}, {0, 2, 2, 0, 0, 0, 0}},
                              {4, 5, 2});
  const Evaluation result = Evaluate(dataset, Identity, {});
  EXPECT_NEAR(result.top5, 200.0 / 3, 1e-12);  // class 5 ranks sixth
  EXPECT_EQ(result.top1, 0);
  EXPECT_EQ(result.predictions, (std::vector<int64_t>{0, 0, 1}));
  EXPECT_EQ(result.agreement, 100);
}

TEST(Evaluate, LargeLogitsDoNotOverflow) {
  const LogitsDataset dataset({{3e38F, -3e38F, 0, 0, 0}, {500, 499, -1e6F, 0, 0}}, {0, 1});
  const double second = std::log(1 + std::exp(-1.0)) + 1;
  EXPECT_NEAR(Evaluate(dataset, Identity, {}).loss, second / 2, 1e-12);
}

TEST(Evaluate, LabelOffsetShiftsTheClass) {
  const LogitsDataset dataset({{0, 0, 9, 0, 0, 0}, {0, 0, 0, 9, 0, 0}}, {1, 2});
  EXPECT_EQ(Evaluate(dataset, Identity, {}).top1, 0);
  EXPECT_EQ(Evaluate(dataset, Identity, {.label_offset = 1}).top1, 100);
}

TEST(Evaluate, FewClassesMakeTopFiveTrivialAndSaySoOnce) {
  const LogitsDataset dataset({{0, 1}, {1, 0}}, {0, 1});
  const LogCapture log;
  const Evaluation dense = Evaluate(dataset, Identity, {});
  EXPECT_EQ(dense.top5, 100);
  EXPECT_EQ(dense.top1, 0);
  EXPECT_TRUE(log.Contains("top-5 is 100 % by definition: the network has only 2 classes"));
  Evaluate(dataset, Identity, {.reference = &dense.predictions});
  EXPECT_EQ(log.lines().size(), 1U);
}

TEST(Evaluate, SkippedImagesAreCountedAndNeverScored) {
  LogitsDataset dataset({{9, 0, 0, 0, 0}, {9, 0, 0, 0, 0}, {0, 9, 0, 0, 0}, {0, 0, 9, 0, 0}},
                        {1, 0, 0, 2});
  dataset.broken = {0, 2};
  const LogCapture log;
  for (const int64_t batch : {1, 3, 10}) {  // batches that become empty and smaller
    const Evaluation result = Evaluate(dataset, Identity, {.batch = batch});
    EXPECT_EQ(result.top1, 100);
    EXPECT_EQ(result.images, 2);
    EXPECT_EQ(result.skipped, 2);
    EXPECT_EQ(result.predictions, (std::vector<int64_t>{0, 2}));
  }
  EXPECT_TRUE(log.Contains("warning: evaluation uses 2 of 4 images; 2 broken ones are left out"));
  dataset.broken = {0, 1, 2, 3};
  EXPECT_EQ(MessageOf(dataset, Identity, {}), "evaluation: no image is left of 4");
}

TEST(Evaluate, NonFiniteLogitsNameTheImage) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    const LogitsDataset dataset({{0, 1, 2}, {0, bad, 2}}, {0, 0});
    EXPECT_THAT(MessageOf(dataset, Identity, {}),
                ::testing::MatchesRegex("img1.jpg: the network's output is (nan|-inf) for class 1; "
                                        "its weights or activations overflow"));
  }
}

TEST(Evaluate, LabelsOutsideTheNetworkAreRefused) {
  EXPECT_EQ(MessageOf(LogitsDataset({{0, 1, 2}}, {3}), Identity, {}),
            "img0.jpg: label 3 with label_offset 0 is class 3, the network has 3 classes (0 … 2); "
            "check data.transform.label_offset and the labels");
  EXPECT_THAT(MessageOf(LogitsDataset({{0, 1, 2}}, {0}), Identity, {.label_offset = -1}),
              HasSubstr("is class -1"));
  EXPECT_EQ(MessageOf(LogitsDataset({{0, 1, 2}}, {-1}), Identity, {}),
            "img0.jpg: has no label; accuracy needs one for every image");
}

TEST(Evaluate, WrongShapesAndReferencesAreRefused) {
  const LogitsDataset dataset({{0, 1, 2}, {0, 1, 2}}, {0, 0});
  const auto feature_map = [](const Tensor&, Tensor& logits) { logits = Tensor({2, 3, 7, 7}); };
  EXPECT_EQ(MessageOf(dataset, feature_map, {}),
            "evaluation: the network gives [2,3,7,7] for 2 images, expected one row of class "
            "scores each");
  const auto one_by_one = [](const Tensor& images, Tensor& logits) { logits = images; };
  EXPECT_EQ(MessageOf(dataset, one_by_one, {}), "no error");
  const std::vector<int64_t> reference = {0};
  EXPECT_EQ(MessageOf(dataset, Identity, {.reference = &reference}),
            "evaluation: 1 reference predictions for 2 images");
  EXPECT_EQ(MessageOf(dataset, Identity, {.batch = 0}),
            "evaluation: batch size 0, expected at least 1");
}

// In a process of its own: the flag is never cleared.
TEST(EvaluateDeathTest, StopsOnASignal) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        InstallInterruptHandlers();
        std::raise(SIGINT);
        const LogitsDataset dataset({{0, 1, 2}}, {0});
        const std::string message = MessageOf(dataset, Identity, {});
        std::_Exit(message.starts_with("stopped on request") ? 42 : 1);
      },
      ::testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace sparsify

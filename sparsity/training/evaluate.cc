#include "sparsity/training/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <span>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/progress.h"
#include "sparsity/training/batch_loader.h"

namespace sparsify {
namespace {

constexpr int64_t kTop = 5;

// How many classes rank before `target`.
int64_t RankOf(std::span<const float> logits, size_t target) {
  int64_t rank = 0;
  for (size_t k = 0; k < logits.size(); ++k) {
    if (logits[k] > logits[target] || (logits[k] == logits[target] && k < target)) ++rank;
  }
  return rank;
}

// −log softmax(logits)[target], in double, shifted by the maximum.
double CrossEntropy(std::span<const float> logits, size_t target) {
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - max);
  return max + std::log(sum) - logits[target];
}

void CheckFinite(std::span<const float> logits, const std::string& name) {
  for (size_t k = 0; k < logits.size(); ++k) {
    if (!std::isfinite(logits[k])) {
      Fail(name, "the network's output is {} for class {}; its weights or activations overflow",
           logits[k], k);
    }
  }
}

size_t TargetOf(int64_t label, int64_t offset, size_t classes, const std::string& name) {
  if (label < 0) Fail(name, "has no label; accuracy needs one for every image");
  const int64_t target = label + offset;
  if (target < 0 || target >= static_cast<int64_t>(classes)) {
    Fail(name,
         "label {} with label_offset {} is class {}, the network has {} classes (0 … {}); check "
         "data.transform.label_offset and the labels",
         label, offset, target, classes, classes - 1);
  }
  return static_cast<size_t>(target);
}

// Classes a logits tensor has for `images` images.
size_t ClassesOf(const Tensor& logits, int64_t images) {
  const Shape& shape = logits.shape();
  if (shape.rank() < 2 || shape[0] != images || shape[1] < 1 ||
      logits.size() != images * shape[1]) {
    Fail("evaluation", "the network gives {} for {} images, expected one row of class scores each",
         shape.ToString(), images);
  }
  return static_cast<size_t>(shape[1]);
}

// Sums over the images so far.
class Tally {
 public:
  Tally(const Dataset& dataset, const EvaluateOptions& options)
      : dataset_(dataset), options_(options) {}

  void Add(const Batch& batch, const Tensor& logits) {
    classes_ = ClassesOf(logits, static_cast<int64_t>(batch.labels.size()));
    for (size_t row = 0; row < batch.labels.size(); ++row) {
      AddImage({logits.data() + row * classes_, classes_}, batch.labels[row],
               dataset_.NameOf(batch.indices[row]));
    }
  }

  Evaluation Finish() const;

 private:
  void AddImage(std::span<const float> logits, int64_t label, const std::string& name) {
    CheckFinite(logits, name);
    const size_t target = TargetOf(label, options_.label_offset, logits.size(), name);
    const int64_t rank = RankOf(logits, target);
    if (rank == 0) ++top1_;
    if (rank < kTop) ++top5_;
    loss_ += CrossEntropy(logits, target);
    const auto prediction = std::max_element(logits.begin(), logits.end()) - logits.begin();
    const std::vector<int64_t>* reference = options_.reference;
    if (reference && predictions_.size() < reference->size() &&
        (*reference)[predictions_.size()] == prediction) {
      ++agreeing_;
    }
    predictions_.push_back(prediction);
  }

  void Report() const;

  const Dataset& dataset_;
  const EvaluateOptions& options_;
  size_t classes_ = 0;
  int64_t top1_ = 0;
  int64_t top5_ = 0;
  int64_t agreeing_ = 0;
  double loss_ = 0;
  std::vector<int64_t> predictions_;
};

// Said for the evaluation without a reference (the dense network's) only: those that
// follow use the same images and classes.
void Tally::Report() const {
  if (options_.reference) return;
  const int64_t images = std::ssize(predictions_);
  if (images < dataset_.size()) {
    Warn("evaluation uses {} of {} images; {} broken ones are left out", images, dataset_.size(),
         dataset_.size() - images);
  }
  if (classes_ < kTop) {
    Note("top-5 is 100 % by definition: the network has only {} classes", classes_);
  }
}

Evaluation Tally::Finish() const {
  const int64_t images = std::ssize(predictions_);
  if (images == 0) Fail("evaluation", "no image is left of {}", dataset_.size());
  if (options_.reference && std::ssize(*options_.reference) != images) {
    Fail("evaluation", "{} reference predictions for {} images", options_.reference->size(),
         images);
  }
  Report();
  const double percent = 100.0 / static_cast<double>(images);
  Evaluation result;
  result.top1 = percent * static_cast<double>(top1_);
  result.top5 = percent * static_cast<double>(top5_);
  if (options_.reference) result.agreement = percent * static_cast<double>(agreeing_);
  result.loss = loss_ / static_cast<double>(images);
  result.images = images;
  result.skipped = dataset_.size() - images;
  result.predictions = predictions_;
  return result;
}

}  // namespace

Evaluation Evaluate(const Dataset& dataset, const ForwardFunction& forward,
                    const EvaluateOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  std::optional<Progress> progress;
  if (!options.progress.empty()) progress.emplace(options.progress, dataset.size());
  Tally tally(dataset, options);
  BatchLoader loader(dataset, options.batch);
  Tensor logits;
  int64_t done = 0;
  while (const Batch* batch = loader.Next()) {
    ThrowIfInterrupted();
    if (!batch->labels.empty()) {
      forward(batch->images, logits);
      tally.Add(*batch, logits);
    }
    if (progress) progress->Advance(loader.position() - done);
    done = loader.position();
  }
  Evaluation result = tally.Finish();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace sparsify

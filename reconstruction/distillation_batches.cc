#include "reconstruction/distillation_batches.h"

#include <algorithm>

#include "sparsity/base/error.h"
#include "sparsity/base/random.h"
#include "sparsity/base/rounding.h"
#include "sparsity/training/epoch_order.h"

namespace sparsify {
namespace {

// Random streams; below them are those of the views of each step, above those of the order.
constexpr uint64_t kMixtures = uint64_t{1} << 62;

// Every image with the one as far from the other end, so that both see both.
void MixUp(double most, Random random, Tensor& images) {
  const int64_t count = images.shape()[0];
  if (count < 2) return;
  const int64_t size = images.size() / count;
  for (int64_t n = 0; n < count / 2; ++n) {
    const auto a = static_cast<float>(most * random.Uniform());
    const auto b = static_cast<float>(most * random.Uniform());
    float* one = images.data() + n * size;
    float* other = images.data() + (count - 1 - n) * size;
    for (int64_t i = 0; i < size; ++i) {
      const float x = one[i];
      one[i] += a * (other[i] - x);
      other[i] += b * (x - other[i]);
    }
  }
}

}  // namespace

std::vector<int64_t> DistillationBatches::HeldBack(int64_t images, int64_t multiple) {
  constexpr int64_t kShare = 10;
  const int64_t held = RoundUp(std::clamp<int64_t>(images / kShare, 1, kMostHeldBack), multiple);
  if (images < held + multiple) {
    Fail("calibration", "{} images, polish needs at least {}: {} to learn from, {} to judge it",
         images, held + multiple, multiple, held);
  }
  std::vector<int64_t> indices;
  for (int64_t k = 0; k < held; ++k) indices.push_back(k * images / held);
  return indices;
}

std::vector<int64_t> DistillationBatches::NotHeldBack(int64_t images, int64_t multiple) {
  const std::vector<int64_t> held_back = HeldBack(images, multiple);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < images; ++i) {
    if (!std::binary_search(held_back.begin(), held_back.end(), i)) indices.push_back(i);
  }
  return indices;
}

DistillationBatches::DistillationBatches(const Dataset& calibration, const Options& options,
                                         int64_t multiple, uint64_t seed)
    : calibration_(calibration),
      options_(options),
      seed_(seed),
      held_back_(HeldBack(calibration.size(), multiple)),
      training_(NotHeldBack(calibration.size(), multiple)),
      batch_(RoundUp(std::min(options.batch, std::ssize(training_)), multiple)) {}

void DistillationBatches::Load(int64_t step, Batch& batch) const {
  const auto count = std::ssize(training_);
  std::vector<int64_t> indices;
  std::vector<View> views;
  EpochOrder order(count, seed_);
  for (int64_t at = step * batch_; at < (step + 1) * batch_; ++at) {
    indices.push_back(training_[static_cast<size_t>(order.At(at))]);
    Random random(seed_, static_cast<uint64_t>(at));
    views.push_back(Augmentation{.min_area = options_.min_area}.Draw(random));
  }
  if (options_.augment) {
    LoadBatch(calibration_, indices, views, batch);
  } else {
    LoadBatch(calibration_, indices, batch);
  }
  if (options_.mixup > 0) {
    MixUp(options_.mixup, Random(seed_, kMixtures + static_cast<uint64_t>(step)), batch.images);
  }
}

void DistillationBatches::LoadHeldBack(Batch& batch) const {
  LoadBatch(calibration_, held_back_, batch);
}

}  // namespace sparsify

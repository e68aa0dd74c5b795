#include "sparsity/training/training_batches.h"

#include <utility>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/base/random.h"

namespace sparsify {

TrainingBatches::TrainingBatches(const Dataset& data, int64_t batch,
                                 const Augmentation& augmentation, uint64_t seed, int64_t position,
                                 BatchRows rows)
    : data_(data),
      batch_size_(batch),
      rows_(rows),
      augmentation_(augmentation),
      seed_(seed),
      asynchronous_(Threads() > 1),
      order_(data.size(), seed),
      position_(position) {
  if (data.size() < 1) Fail("data.training", "holds no images");
  StartLoading();
}

void TrainingBatches::StartLoading() {
  std::vector<int64_t> indices;
  std::vector<View> views;
  for (int64_t at = position_ + rows_.begin; at < position_ + rows_.end; ++at) {
    indices.push_back(order_.At(at));
    Random random(seed_, static_cast<uint64_t>(at));
    views.push_back(augmentation_.Draw(random));
  }
  const auto load = [this, indices = std::move(indices), views = std::move(views)] {
    if (asynchronous_) SetThreads(1);  // of this thread: the others compute
    LoadBatch(data_, indices, views, next_);
  };
  loading_ = std::async(asynchronous_ ? std::launch::async : std::launch::deferred, load);
}

const Batch& TrainingBatches::Next() {
  loading_.get();
  std::swap(current_, next_);
  position_ += batch_size_;
  StartLoading();
  return current_;
}

}  // namespace sparsify

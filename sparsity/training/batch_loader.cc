#include "sparsity/training/batch_loader.h"

#include <algorithm>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"

namespace sparsify {

BatchLoader::BatchLoader(const Dataset& dataset, int64_t batch_size)
    : dataset_(dataset), batch_size_(batch_size), threads_(Threads()) {
  if (batch_size < 1) Fail("evaluation", "batch size {}, expected at least 1", batch_size);
  StartLoading();
}

void BatchLoader::StartLoading() {
  if (position_ >= dataset_.size()) return;
  const int64_t begin = position_;
  const int64_t end = std::min(begin + batch_size_, dataset_.size());
  const auto policy = threads_ > 1 ? std::launch::async : std::launch::deferred;
  loading_ = std::async(policy, [this, begin, end] {
    SetThreads(threads_);  // a new thread starts with the machine's default
    LoadBatch(dataset_, begin, end, next_);
  });
}

const Batch* BatchLoader::Next() {
  if (!loading_.valid()) return nullptr;
  loading_.get();
  std::swap(current_, next_);
  position_ = std::min(position_ + batch_size_, dataset_.size());
  StartLoading();
  return &current_;
}

}  // namespace sparsify

#include "sparsity/training/epoch_order.h"

#include <cstddef>

#include "sparsity/base/random.h"

namespace sparsify {

int64_t EpochOrder::At(int64_t position) {
  if (position / count_ != pass_) {
    pass_ = position / count_;
    order_ = Random(seed_, kFirstStream + static_cast<uint64_t>(pass_)).Permutation(count_);
  }
  return order_[static_cast<size_t>(position % count_)];
}

}  // namespace sparsify

// In which order training sees the samples of a set: all of them once a pass, in a new order each.
#pragma once

#include <cstdint>
#include <vector>

namespace sparsify {

class EpochOrder {
 public:
  /// Of `count` >= 1 samples.
  EpochOrder(int64_t count, uint64_t seed) : count_(count), seed_(seed) {}

  /// The sample at place `position` >= 0 of all passes one after the other. Depends on the seed and
  /// the position alone; cheap when positions rise.
  int64_t At(int64_t position);

  /// Random streams (Random) below this one are not used here: a caller may take them for whatever
  /// else belongs to a position.
  static constexpr uint64_t kFirstStream = uint64_t{1} << 63;

 private:
  int64_t count_;
  uint64_t seed_;
  int64_t pass_ = -1;  // that order_ belongs to
  std::vector<int64_t> order_;
};

}  // namespace sparsify

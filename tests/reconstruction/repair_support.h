// Images for the tests of repair.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "sparsity/base/random.h"
#include "sparsity/data/dataset.h"

namespace sparsify {

/// Smooth random images: neighbouring pixels are alike, so that layer inputs correlate.
class RandomImages : public Dataset {
 public:
  RandomImages(int64_t count, Shape shape) : count_(count), shape_(std::move(shape)) {}

  int64_t size() const override { return count_; }
  Shape image_shape() const override { return shape_; }
  int64_t Load(int64_t i, float* image) const override {
    if (broken.contains(i)) throw SampleSkipped(NameOf(i));
    Random random(11, static_cast<uint64_t>(i));
    double last = 0;
    for (int64_t k = 0; k < shape_.NumElements(); ++k) {
      last = 0.7 * last + random.Normal();
      image[k] = static_cast<float>(last);
    }
    return -1;
  }
  std::string NameOf(int64_t i) const override { return fmt::format("image {}", i); }

  std::set<int64_t> broken;

 private:
  int64_t count_;
  Shape shape_;
};

}  // namespace sparsify

// A dataset in random order: its first images are a fair sample however the files are sorted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/base/random.h"
#include "sparsity/data/dataset.h"

namespace sparsify {

class ShuffledImages : public Dataset {
 public:
  /// Keeps a reference. The order depends on the seed and the number of images alone.
  ShuffledImages(const Dataset& images, uint64_t seed)
      : images_(images), order_(Random(seed).Permutation(images.size())) {}

  int64_t size() const override { return images_.size(); }
  Shape image_shape() const override { return images_.image_shape(); }
  int64_t Load(int64_t i, float* image) const override { return images_.Load(At(i), image); }
  std::string NameOf(int64_t i) const override { return images_.NameOf(At(i)); }

 private:
  int64_t At(int64_t i) const { return order_.at(static_cast<size_t>(i)); }

  const Dataset& images_;
  const std::vector<int64_t> order_;
};

}  // namespace sparsify

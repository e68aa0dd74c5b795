// Some images of a dataset, in an order of one's own.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sparsity/base/random.h"
#include "sparsity/data/dataset.h"

namespace sparsify {

class ImageSubset : public Dataset {
 public:
  /// Keeps a reference. Image i is images[indices[i]].
  ImageSubset(const Dataset& images, std::vector<int64_t> indices)
      : images_(images), indices_(std::move(indices)) {}

  /// All images in random order: the first ones are a fair sample however the files are sorted.
  /// The order depends on the seed and the number of images alone.
  static ImageSubset Shuffled(const Dataset& images, uint64_t seed) {
    return {images, Random(seed).Permutation(images.size())};
  }

  int64_t size() const override { return std::ssize(indices_); }
  Shape image_shape() const override { return images_.image_shape(); }
  int64_t Load(int64_t i, float* image) const override { return images_.Load(At(i), image); }
  int64_t LoadView(int64_t i, const View& view, float* image) const override {
    return images_.LoadView(At(i), view, image);
  }
  std::string NameOf(int64_t i) const override { return images_.NameOf(At(i)); }

 private:
  int64_t At(int64_t i) const { return indices_.at(static_cast<size_t>(i)); }

  const Dataset& images_;
  const std::vector<int64_t> indices_;
};

}  // namespace sparsify

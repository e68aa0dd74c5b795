// Labelled images, by index, as network inputs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  /// Shape of one network input, C×H×W.
  virtual Shape image_shape() const = 0;
  /// Writes sample i, transformed, to `image` (image_shape().NumElements() floats) and
  /// returns its class (−1: no label). Thread safe. Throws Error naming the file.
  virtual int64_t Load(int64_t i, float* image) const = 0;
  /// What messages call sample i: a file name or "images.idx[17]".
  virtual std::string NameOf(int64_t i) const = 0;
};

struct Batch {
  Tensor images;                // N×C×H×W
  std::vector<int64_t> labels;  // N
};

/// Loads samples [begin, end) in parallel into `batch`.
void LoadBatch(const Dataset& dataset, int64_t begin, int64_t end, Batch& batch);
/// Loads the listed samples in parallel into `batch`.
void LoadBatch(const Dataset& dataset, const std::vector<int64_t>& indices, Batch& batch);

}  // namespace sparsify

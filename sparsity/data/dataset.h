// Labelled images, by index, as network inputs; batches of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/data/augment.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// Thrown by Dataset::Load for a broken sample that `on_error: skip` leaves out. A dataset
/// under `on_error: stop` throws a plain Error instead.
class SampleSkipped : public Error {
 public:
  explicit SampleSkipped(const std::string& message) : Error(ErrorKind::kRun, message) {}
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  /// Number of samples, broken ones included.
  virtual int64_t size() const = 0;
  /// Shape of one network input, C×H×W.
  virtual Shape image_shape() const = 0;
  /// Writes sample i, transformed, to `image` (image_shape().NumElements() floats) and
  /// returns its class (−1: no label). Thread safe. Throws Error naming the file,
  /// SampleSkipped when the sample is broken and is to be left out.
  virtual int64_t Load(int64_t i, float* image) const = 0;
  /// Like Load, but shows `view` instead of the centre. Here: of what Load gives (ApplyView);
  /// datasets that know more of the picture show that.
  virtual int64_t LoadView(int64_t i, const View& view, float* image) const;
  /// The class of sample i as its source has it, not read from the sample; −1: not known.
  virtual int64_t LabelOf(int64_t /*i*/) const { return -1; }
  /// What messages call sample i: a file name or "images.idx[17]".
  virtual std::string NameOf(int64_t i) const = 0;
};

/// Samples that were left out (SampleSkipped) are absent: N may be less than asked for, or 0.
struct Batch {
  Tensor images;                 // N×C×H×W
  std::vector<int64_t> labels;   // N
  std::vector<int64_t> indices;  // N: which sample of the dataset each row is
};

/// Loads samples [begin, end) in parallel into `batch`, whose memory is reused.
void LoadBatch(const Dataset& dataset, int64_t begin, int64_t end, Batch& batch);
/// Loads the listed samples in parallel into `batch`.
void LoadBatch(const Dataset& dataset, const std::vector<int64_t>& indices, Batch& batch);
/// The same with a view of each, `views` as long as `indices`.
void LoadBatch(const Dataset& dataset, const std::vector<int64_t>& indices,
               const std::vector<View>& views, Batch& batch);

}  // namespace sparsify

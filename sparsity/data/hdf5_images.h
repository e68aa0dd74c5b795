// Pictures, or ready-made values, in an HDF5 file.
//
// The file holds `images`, of shape N×H×W, N×H×W×C or N×C×H×W with C = 1 or 3 (where both
// readings fit, N×C×H×W), red first, and `labels`, N or N×1 integers from 0; without `labels`
// no sample has one. uint8 images are pictures: every transform applies (Hdf5Images). Any
// other number type holds values of the network's own size: only the colour order and the
// normalisation apply (Hdf5Values).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/data/dataset.h"
#include "sparsity/data/sample_source.h"
#include "sparsity/data/transform.h"
#include "sparsity/io/hdf5_file.h"

namespace sparsify {

struct Hdf5Layout {
  int64_t count = 0;
  int64_t channels = 1;
  int64_t height = 0;
  int64_t width = 0;
  bool channels_last = false;
  bool bytes = false;  // uint8

  int64_t row_size() const { return channels * height * width; }
};

/// Throws Error when `images` is missing, empty, or of another shape.
Hdf5Layout ReadHdf5Layout(const Hdf5File& file);

class Hdf5Images : public SampleSource {
 public:
  /// Kept in memory when all pixels take at most `max_resident_bytes`, else read one by one.
  /// Throws Error on a wrong shape or type and on labels that do not fit the images.
  Hdf5Images(Hdf5File file, int64_t max_resident_bytes);

  int64_t size() const override { return layout_.count; }
  int64_t LabelOf(int64_t i) const override { return labels_[static_cast<size_t>(i)]; }
  Image Read(int64_t i) const override;
  std::string NameOf(int64_t i) const override;

 private:
  Hdf5File file_;
  Hdf5Layout layout_;
  std::vector<int64_t> labels_;
  std::vector<uint8_t> resident_;  // empty: read from file_
};

class Hdf5Values : public Dataset {
 public:
  /// Like Hdf5Images. `selection` lists the rows to use. Throws a usage Error when `transform`
  /// resizes or crops, an Error when the values are not of the network's size.
  Hdf5Values(Hdf5File file, Transform transform, std::vector<int64_t> selection,
             int64_t max_resident_bytes);

  int64_t size() const override { return std::ssize(selection_); }
  Shape image_shape() const override { return transform_.input_shape(); }
  int64_t Load(int64_t i, float* image) const override;
  int64_t LabelOf(int64_t i) const override {
    return labels_[static_cast<size_t>(selection_[static_cast<size_t>(i)])];
  }
  std::string NameOf(int64_t i) const override;

 private:
  Hdf5File file_;
  Transform transform_;
  Hdf5Layout layout_;
  std::vector<int64_t> selection_;
  std::vector<int64_t> labels_;
  std::vector<float> resident_;
};

/// N labels, −1 each when the file has none. Throws Error on a wrong count, type or range.
std::vector<int64_t> ReadHdf5Labels(const Hdf5File& file, int64_t count);

}  // namespace sparsify

// IDX files (the format of MNIST and its relatives), plain or gzipped.
//
// Images: magic 00 00 08 03, then count, height, width as big-endian 32-bit integers, then
// count × height × width bytes. Labels: magic 00 00 08 01, count, count bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/data/sample_source.h"

namespace sparsify {

class IdxImages : public SampleSource {
 public:
  /// Reads both files into memory. `labels_path` empty: the image file's name with
  /// "images-idx3" replaced by "labels-idx1", then with and without ".gz". Throws Error when
  /// a file is missing, is no IDX file, is shorter or longer than its header says, or when
  /// the counts differ.
  IdxImages(const std::string& path, const std::string& labels_path);

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  int64_t LabelOf(int64_t i) const override { return labels_[static_cast<size_t>(i)]; }
  Image Read(int64_t i) const override;
  std::string NameOf(int64_t i) const override;

 private:
  std::string path_;
  int64_t height_ = 0;
  int64_t width_ = 0;
  std::vector<uint8_t> pixels_;
  std::vector<uint8_t> labels_;
};

}  // namespace sparsify

// A folder of JPEG and PNG files with labels.csv.
#pragma once

#include <string>
#include <vector>

#include "sparsity/data/sample_source.h"

namespace sparsify {

/// Pictures listed, in this order, in a CSV file with the header `file,label`. File names
/// are relative to the folder and may contain sub-folders; labels are integers from 0.
class ImageFolder : public SampleSource {
 public:
  /// `labels_path` empty: folder/labels.csv. Throws Error with path and line on a missing
  /// file, a duplicate, a label that is no integer, or an empty list. With `check_files`
  /// false missing pictures are left for Read to find.
  ImageFolder(const std::string& folder, const std::string& labels_path, bool check_files);

  /// All .jpg, .jpeg and .png files in the folder and its sub-folders, by name, without labels
  /// (−1). Throws Error when there are none.
  static ImageFolder WithoutLabels(const std::string& folder);

  int64_t size() const override { return static_cast<int64_t>(entries_.size()); }
  int64_t LabelOf(int64_t i) const override { return entries_[static_cast<size_t>(i)].label; }
  Image Read(int64_t i) const override;
  std::string NameOf(int64_t i) const override;

 private:
  struct Entry {
    std::string file;
    int64_t label = -1;
  };
  explicit ImageFolder(const std::string& folder);
  void ReadLabels(const std::string& path, bool check_files);

  std::string folder_;
  std::vector<Entry> entries_;
};

}  // namespace sparsify

// Pictures of a source, transformed for one network, cached, with broken ones handled.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "sparsity/data/dataset.h"
#include "sparsity/data/picture_cache.h"
#include "sparsity/data/pixel_cache.h"
#include "sparsity/data/sample_source.h"
#include "sparsity/data/transform.h"

namespace sparsify {

struct ImageDatasetOptions {
  std::string key = "data";        // names the section in messages
  bool skip_broken = false;        // see SampleSkipped
  int64_t cache_bytes = 0;         // memory for transformed pixels, then for pictures (LoadView)
  std::vector<int64_t> selection;  // source indices to use; empty: all
};

class ImageDataset : public Dataset {
 public:
  ImageDataset(std::unique_ptr<SampleSource> source, Transform transform,
               ImageDatasetOptions options);

  int64_t size() const override { return static_cast<int64_t>(options_.selection.size()); }
  Shape image_shape() const override { return transform_.input_shape(); }
  /// A broken sample is warned about the first time it is met, by name for the first
  /// kNamedSkips of them.
  int64_t Load(int64_t i, float* image) const override;
  /// A view of the whole picture, resized but not cropped.
  int64_t LoadView(int64_t i, const View& view, float* image) const override;
  int64_t LabelOf(int64_t i) const override { return source_->LabelOf(SourceIndex(i)); }
  std::string NameOf(int64_t i) const override { return source_->NameOf(SourceIndex(i)); }

  static constexpr size_t kNamedSkips = 5;

 private:
  int64_t SourceIndex(int64_t i) const { return options_.selection[static_cast<size_t>(i)]; }
  Image Read(int64_t i) const;
  void ReportSkip(int64_t i, const std::string& reason) const;

  std::unique_ptr<SampleSource> source_;
  Transform transform_;
  ImageDatasetOptions options_;
  mutable PixelCache cache_;
  mutable PictureCache pictures_;  // takes what cache_ can never need
  mutable std::mutex mutex_;
  mutable std::set<int64_t> skipped_;  // guarded by mutex_
};

}  // namespace sparsify

#include "sparsity/data/image_dataset.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

ImageDatasetOptions WithSelection(ImageDatasetOptions options, int64_t source_size) {
  if (options.selection.empty()) {
    options.selection.resize(static_cast<size_t>(source_size));
    std::iota(options.selection.begin(), options.selection.end(), 0);
  }
  return options;
}

}  // namespace

ImageDataset::ImageDataset(std::unique_ptr<SampleSource> source, Transform transform,
                           ImageDatasetOptions options)
    : source_(std::move(source)),
      transform_(std::move(transform)),
      options_(WithSelection(std::move(options), source_->size())),
      cache_(size(), transform_.pixel_count(), options_.cache_bytes),
      pictures_(size(), options_.cache_bytes -
                            std::min(options_.cache_bytes, size() * transform_.pixel_count())) {}

int64_t ImageDataset::Load(int64_t i, float* image) const {
  const int64_t label = source_->LabelOf(SourceIndex(i));
  if (const uint8_t* cached = cache_.Find(i)) {
    transform_.Normalize(cached, image);
    return label;
  }
  const auto count = static_cast<size_t>(transform_.pixel_count());
  auto pixels = std::make_unique_for_overwrite<uint8_t[]>(count);
  transform_.ToPixels(Read(i), NameOf(i), pixels.get());
  transform_.Normalize(pixels.get(), image);
  cache_.Insert(i, std::move(pixels));
  return label;
}

int64_t ImageDataset::LoadView(int64_t i, const View& view, float* image) const {
  std::vector<uint8_t> pixels(static_cast<size_t>(transform_.pixel_count()));
  if (const Image* kept = pictures_.Find(i)) {
    transform_.CropView(*kept, view, pixels.data());
  } else {
    Image picture = transform_.ToPicture(Read(i), NameOf(i));
    transform_.CropView(picture, view, pixels.data());
    pictures_.Insert(i, std::move(picture));
  }
  transform_.Normalize(pixels.data(), image);
  return source_->LabelOf(SourceIndex(i));
}

Image ImageDataset::Read(int64_t i) const {
  try {
    return source_->Read(SourceIndex(i));
  } catch (const Error& error) {
    if (options_.skip_broken) {
      ReportSkip(i, error.what());
      throw SampleSkipped(error.what());
    }
    throw Error(error.kind(), fmt::format("{}; set {}.on_error: skip to leave broken images out",
                                          error.what(), options_.key));
  }
}

void ImageDataset::ReportSkip(int64_t i, const std::string& reason) const {
  const std::scoped_lock lock(mutex_);
  if (!skipped_.insert(i).second) return;
  if (skipped_.size() <= kNamedSkips) {
    Warn("{}: skipped: {}", options_.key, reason);
  } else if (skipped_.size() == kNamedSkips + 1) {
    Warn("{}: skipped: more broken images, counted but not named", options_.key);
  }
}

}  // namespace sparsify

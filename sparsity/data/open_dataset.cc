#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/data/data_options.h"
#include "sparsity/data/hdf5_images.h"
#include "sparsity/data/idx.h"
#include "sparsity/data/image_dataset.h"
#include "sparsity/data/image_folder.h"
#include "sparsity/data/transform.h"

namespace sparsify {
namespace {

constexpr int64_t kBytesPerMb = 1'000'000;

// Source indices of `count` samples at equal distances, the first one included.
std::vector<int64_t> EvenlySpread(int64_t size, int64_t count, const std::string& key) {
  if (count > size) FailUsage(key + ".count", "{}, only {} samples exist", count, size);
  std::vector<int64_t> indices(static_cast<size_t>(count));
  for (int64_t k = 0; k < count; ++k) indices[static_cast<size_t>(k)] = k * size / count;
  return indices;
}

// Equal distances meet few classes when labels repeat with a period (0, 1, …, 9, 0, 1, …).
template <class Labels>
void WarnOfMissedClasses(int64_t size, const Labels& label_of,
                         const std::vector<int64_t>& selection, const std::string& key) {
  std::set<int64_t> all;
  std::set<int64_t> selected;
  for (int64_t i = 0; i < size; ++i) all.insert(label_of(i));
  for (const int64_t i : selection) selected.insert(label_of(i));
  const size_t possible = std::min(all.size(), selection.size());
  if (2 * selected.size() < possible) {
    Warn(
        "{}.count: the {} evenly spread samples come from only {} of {} classes; choose another "
        "count",
        key, selection.size(), selected.size(), all.size());
  }
}

// `Labels` gives the label of every source index.
template <class Labels>
std::vector<int64_t> Select(const SourceOptions& options, int64_t size, const Labels& label_of,
                            const std::string& key) {
  if (!options.count) return EvenlySpread(size, size, key);
  std::vector<int64_t> selection = EvenlySpread(size, *options.count, key);
  WarnOfMissedClasses(size, label_of, selection, key);
  return selection;
}

std::unique_ptr<Dataset> OpenPictures(std::unique_ptr<SampleSource> source,
                                      const SourceOptions& options, const Transform& transform,
                                      const std::string& key) {
  ImageDatasetOptions dataset;
  dataset.key = key;
  dataset.skip_broken = options.on_error == "skip";
  // Sources other than folders keep their pictures in memory themselves.
  dataset.cache_bytes = options.type == "images" ? options.cache_mb * kBytesPerMb : 0;
  dataset.selection = Select(
      options, source->size(), [&](int64_t i) { return source->LabelOf(i); }, key);
  return std::make_unique<ImageDataset>(std::move(source), transform, std::move(dataset));
}

std::unique_ptr<Dataset> OpenHdf5(const SourceOptions& options, const Transform& transform,
                                  const std::string& key) {
  if (!options.labels.empty()) {
    FailUsage(key + ".labels", "does not apply to hdf5, whose labels lie in the same file");
  }
  const int64_t max_bytes = options.cache_mb * kBytesPerMb;
  Hdf5File file = Hdf5File::Open(options.path);
  const Hdf5Layout layout = ReadHdf5Layout(file);
  if (layout.bytes) {
    return OpenPictures(std::make_unique<Hdf5Images>(std::move(file), max_bytes), options,
                        transform, key);
  }
  const std::vector<int64_t> labels = ReadHdf5Labels(file, layout.count);
  std::vector<int64_t> selection = Select(
      options, layout.count, [&](int64_t i) { return labels[static_cast<size_t>(i)]; }, key);
  return std::make_unique<Hdf5Values>(std::move(file), transform, std::move(selection), max_bytes);
}

std::unique_ptr<SampleSource> OpenFolder(const SourceOptions& options, const std::string& key,
                                         Labels labels) {
  const auto listed = std::filesystem::path(options.path) / "labels.csv";
  if (labels == Labels::kUnused && options.labels.empty() && !std::filesystem::exists(listed)) {
    auto images = std::make_unique<ImageFolder>(ImageFolder::WithoutLabels(options.path));
    Note("{}: {} has no labels.csv; all {} images in it are used", key, options.path,
         images->size());
    return images;
  }
  return std::make_unique<ImageFolder>(options.path, options.labels, options.on_error == "stop");
}

std::unique_ptr<Dataset> Open(const SourceOptions& options, const Transform& transform,
                              const std::string& key, Labels labels) {
  if (options.path.empty()) FailUsage(key + ".path", "is missing");
  if (options.type == "hdf5") return OpenHdf5(options, transform, key);
  if (options.type == "idx") {
    return OpenPictures(std::make_unique<IdxImages>(options.path, options.labels), options,
                        transform, key);
  }
  if (options.type == "images") {
    return OpenPictures(OpenFolder(options, key, labels), options, transform, key);
  }
  FailUsage(key + ".type", "unknown \"{}\"; known: images, idx, hdf5", options.type);
}

// Loads the first readable sample, so that a wrong size is found now and not after an hour.
void CheckFirst(const Dataset& dataset, const std::string& key) {
  std::vector<float> image(static_cast<size_t>(dataset.image_shape().NumElements()));
  for (int64_t i = 0; i < dataset.size(); ++i) {
    try {
      dataset.Load(i, image.data());
      return;
    } catch (const SampleSkipped&) {
      continue;
    }
  }
  Fail(key, "all {} images are broken", dataset.size());
}

}  // namespace

std::unique_ptr<Dataset> OpenDataset(const SourceOptions& source, const TransformOptions& transform,
                                     const Shape& input_shape, const std::string& key,
                                     std::optional<int64_t> resolution, Labels labels) {
  const Transform prepared(transform, input_shape, "data.transform", resolution);
  std::unique_ptr<Dataset> dataset = Open(source, prepared, key, labels);
  CheckFirst(*dataset, key);
  return dataset;
}

}  // namespace sparsify

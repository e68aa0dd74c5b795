#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/data/data_options.h"
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
void WarnOfMissedClasses(const SampleSource& source, const std::vector<int64_t>& selection,
                         const std::string& key) {
  std::set<int64_t> all;
  std::set<int64_t> selected;
  for (int64_t i = 0; i < source.size(); ++i) all.insert(source.LabelOf(i));
  for (const int64_t i : selection) selected.insert(source.LabelOf(i));
  const size_t possible = std::min(all.size(), selection.size());
  if (2 * selected.size() < possible) {
    Warn(
        "{}.count: the {} evenly spread samples come from only {} of {} classes; choose another "
        "count",
        key, selection.size(), selected.size(), all.size());
  }
}

std::unique_ptr<SampleSource> OpenSource(const SourceOptions& options, const std::string& key) {
  if (options.path.empty()) FailUsage(key + ".path", "is missing");
  if (options.type == "idx") return std::make_unique<IdxImages>(options.path, options.labels);
  if (options.type == "images") {
    return std::make_unique<ImageFolder>(options.path, options.labels, options.on_error == "stop");
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
                                     const Shape& input_shape, const std::string& key) {
  const Transform prepared(transform, input_shape, "data.transform");
  std::unique_ptr<SampleSource> samples = OpenSource(source, key);
  ImageDatasetOptions options;
  options.key = key;
  options.skip_broken = source.on_error == "skip";
  // Sources other than folders are in memory already.
  options.cache_bytes = source.type == "images" ? source.cache_mb * kBytesPerMb : 0;
  if (source.count) {
    options.selection = EvenlySpread(samples->size(), *source.count, key);
    WarnOfMissedClasses(*samples, options.selection, key);
  }
  auto dataset = std::make_unique<ImageDataset>(std::move(samples), prepared, std::move(options));
  CheckFirst(*dataset, key);
  return dataset;
}

}  // namespace sparsify

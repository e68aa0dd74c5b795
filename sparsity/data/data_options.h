// The `data:` section: which files, how pixels become network inputs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/base/options.h"
#include "sparsity/data/dataset.h"

namespace sparsify {

/// Network input = (pixel · scale − mean) / std, after resize and centre crop.
struct TransformOptions {
  std::vector<int64_t> resize = {};  // [height, width], or [short side]; empty: keep
  std::optional<int64_t> center_crop = {};
  std::string color = "rgb";  // rgb, bgr, gray
  double scale = 1.0 / 255;
  std::vector<double> mean = {0};  // one a channel, or one for all
  std::vector<double> std = {1};
  int64_t label_offset = 0;  // network class = label + label_offset

  void VisitFields(OptionVisitor& v);
};

/// One dataset.
struct SourceOptions {
  std::string type = "images";  // images (folder + labels.csv), idx, hdf5
  std::string path = {};
  std::string labels = {};            // idx: the label file; images: another labels.csv
  std::optional<int64_t> count = {};  // use so many samples, evenly spread; absent: all
  std::string on_error = "stop";      // stop, skip (counted and reported)
  int64_t cache_mb = 400;             // images: memory for transformed pixels

  void VisitFields(OptionVisitor& v);
};

struct DataOptions {
  TransformOptions transform;
  std::optional<SourceOptions> calibration;
  std::optional<SourceOptions> evaluation;
  std::optional<SourceOptions> training;

  void VisitFields(OptionVisitor& v);
};

/// Opens a dataset whose samples fit a network input of `input_shape` (C×H×W), or, with a
/// `resolution`, are C×resolution×resolution: the whole transform in proportion. `key` names
/// the section in messages ("data.evaluation"). The first sample is loaded as a check.
/// Throws Error when a file is missing, damaged, or of another shape. With `on_error: skip`
/// broken images are found when they are loaded, see SampleSkipped; an image that is whole
/// but of the wrong size is always an Error.
/// Where labels are kUnused, a folder of images without labels.csv stands for all images in it.
enum class Labels { kRequired, kUnused };
std::unique_ptr<Dataset> OpenDataset(const SourceOptions& source, const TransformOptions& transform,
                                     const Shape& input_shape, const std::string& key,
                                     std::optional<int64_t> resolution = {},
                                     Labels labels = Labels::kRequired);

}  // namespace sparsify

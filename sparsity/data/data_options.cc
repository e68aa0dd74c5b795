#include "sparsity/data/data_options.h"

namespace sparsify {

void TransformOptions::VisitFields(OptionVisitor& v) {
  v.Field("resize", resize, {.min = 1, .max = 100'000},
          "[height, width] or [short side] in pixels, bilinear; empty: keep the size");
  v.Field("center_crop", center_crop, {.min = 1, .max = 100'000},
          "side of the square cut from the middle after resizing; null: no crop");
  v.Choice("color", color, {"rgb", "bgr", "gray"},
           "channels in network order; gray of a colour image is its ITU-R 601 luma");
  v.Field("scale", scale, {.min = 0, .min_open = true},
          "network input = (pixel * scale - mean) / std, pixel 0 to 255");
  v.Field("mean", mean, "subtracted, one value a channel in network order, or one for all");
  v.Field("std", std, {.min = 0, .min_open = true},
          "divided by, one value a channel in network order, or one for all");
  v.Field("label_offset", label_offset, {.min = -1e9, .max = 1e9},
          "network class = label + label_offset; 1: the network has one extra class in front");
}

void SourceOptions::VisitFields(OptionVisitor& v) {
  v.Choice(
      "type", type, {"images", "idx", "hdf5"},
      "images: folder of JPEG and PNG with labels.csv (calibration does without); idx: MNIST's "
      "format; hdf5");
  v.Field("path", path, "the folder or file");
  v.Field("labels", labels, "label file; empty: labels.csv in the folder, or the idx pair's name");
  v.Field("count", count, {.min = 1}, "use so many samples, evenly spread; null: all");
  v.Choice("on_error", on_error, {"stop", "skip"},
           "broken images: stop the run, or skip them, counted and reported");
  v.Field(
      "cache_mb", cache_mb, {.min = 0, .max = 1e6},
      "memory for decoded images, so that a sweep decodes each once (idx always stays in memory)");
}

void DataOptions::VisitFields(OptionVisitor& v) {
  v.Section("transform", transform, "how pixels become network inputs");
  v.OptionalSection("calibration", calibration, "images whose activations guide the repair");
  v.OptionalSection("evaluation", evaluation, "labelled images that accuracy is measured on");
  v.OptionalSection("training", training, "labelled images to train on");
}

}  // namespace sparsify

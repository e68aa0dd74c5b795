#include "sparsity/data/hdf5_images.h"

#include <algorithm>
#include <utility>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

constexpr const char* kImages = "/images";
constexpr const char* kLabels = "/labels";
constexpr int64_t kMaxSamples = 1'000'000'000;

std::string ImagesOf(const Hdf5File& file) { return file.path() + ":" + kImages; }

bool IsChannelCount(int64_t n) { return n == 1 || n == 3; }

std::string RowName(const Hdf5File& file, int64_t row) {
  return fmt::format("{}[{}]", ImagesOf(file), row);
}

}  // namespace

Hdf5Layout ReadHdf5Layout(const Hdf5File& file) {
  if (!file.Has(kImages)) {
    Fail(file.path(),
         "holds no dataset \"images\"; expected images (N×H×W, N×H×W×C or N×C×H×W) "
         "and labels (N)");
  }
  const Hdf5Dataset info = file.Info(kImages);
  const Shape& shape = info.shape;
  Hdf5Layout layout;
  layout.bytes = info.type == Hdf5Type::kUint8;
  if (info.type == Hdf5Type::kText) Fail(ImagesOf(file), "holds text, expected numbers");
  const bool planes = shape.rank() == 4 && IsChannelCount(shape[1]);
  layout.channels_last = shape.rank() == 4 && !planes && IsChannelCount(shape[3]);
  if (shape.rank() != 3 && !planes && !layout.channels_last) {
    Fail(ImagesOf(file), "shape {}, expected N×H×W, N×H×W×C or N×C×H×W with C = 1 or 3",
         shape.ToString());
  }
  layout.count = shape[0];
  if (planes) layout.channels = shape[1];
  if (layout.channels_last) layout.channels = shape[3];
  layout.height = shape[planes ? 2 : 1];
  layout.width = shape[planes ? 3 : 2];
  if (shape.NumElements() == 0) Fail(ImagesOf(file), "shape {}, holds nothing", shape.ToString());
  if (layout.count > kMaxSamples || layout.height > kMaxImagePixels / layout.width) {
    Fail(ImagesOf(file), "shape {}, at most {} images of {} pixels are read", shape.ToString(),
         kMaxSamples, kMaxImagePixels);
  }
  return layout;
}

std::vector<int64_t> ReadHdf5Labels(const Hdf5File& file, int64_t count) {
  std::vector<int64_t> labels(static_cast<size_t>(count), -1);
  if (!file.Has(kLabels)) return labels;
  const std::string where = file.path() + ":" + kLabels;
  const Shape shape = file.Dims(kLabels);
  const bool fits = shape.rank() >= 1 && shape[0] == count && shape.NumElements() == count;
  if (!fits)
    Fail(where, "shape {}, expected one label for each of {} images", shape.ToString(), count);
  file.ReadInts(kLabels, 0, count, labels);
  const auto negative = std::find_if(labels.begin(), labels.end(), [](int64_t v) { return v < 0; });
  if (negative != labels.end()) {
    Fail(fmt::format("{}[{}]", where, negative - labels.begin()),
         "label {} is not a class number (0, 1, …)", *negative);
  }
  return labels;
}

Hdf5Images::Hdf5Images(Hdf5File file, int64_t max_resident_bytes)
    : file_(std::move(file)), layout_(ReadHdf5Layout(file_)) {
  if (!layout_.bytes) Fail(ImagesOf(file_), "expected uint8");
  labels_ = ReadHdf5Labels(file_, layout_.count);
  if (layout_.row_size() <= max_resident_bytes / layout_.count) {
    resident_.resize(static_cast<size_t>(layout_.count * layout_.row_size()));
    file_.ReadBytes(kImages, 0, layout_.count, resident_);
  }
}

Image Hdf5Images::Read(int64_t i) const {
  const int64_t size = layout_.row_size();
  Image image(layout_.height, layout_.width, layout_.channels);
  if (resident_.empty()) {
    file_.ReadBytes(kImages, i, 1, image.pixels);
  } else {
    std::copy_n(resident_.data() + i * size, size, image.pixels.data());
  }
  if (layout_.channels == 1 || layout_.channels_last) return image;
  Image interleaved(layout_.height, layout_.width, layout_.channels);
  const int64_t plane = layout_.height * layout_.width;
  for (int64_t k = 0; k < size; ++k) {
    interleaved.pixels[static_cast<size_t>(k % plane * layout_.channels + k / plane)] =
        image.pixels[static_cast<size_t>(k)];
  }
  return interleaved;
}

std::string Hdf5Images::NameOf(int64_t i) const { return RowName(file_, i); }

Hdf5Values::Hdf5Values(Hdf5File file, Transform transform, std::vector<int64_t> selection,
                       int64_t max_resident_bytes)
    : file_(std::move(file)),
      transform_(std::move(transform)),
      layout_(ReadHdf5Layout(file_)),
      selection_(std::move(selection)),
      labels_(ReadHdf5Labels(file_, layout_.count)) {
  if (transform_.resizes()) {
    FailUsage(ImagesOf(file_),
              "holds values that are no 8-bit pixels; they cannot be resized or "
              "cropped, remove resize, center_crop and training.resolution");
  }
  const Shape shape = {layout_.channels, layout_.height, layout_.width};
  if (!(shape == transform_.input_shape())) {
    Fail(ImagesOf(file_), "channels × height × width is {}, the network input is {}",
         shape.ToString(), transform_.input_shape().ToString());
  }
  const auto bytes_each = layout_.row_size() * static_cast<int64_t>(sizeof(float));
  if (bytes_each <= max_resident_bytes / layout_.count) {
    resident_.resize(static_cast<size_t>(layout_.count * layout_.row_size()));
    file_.ReadFloats(kImages, 0, layout_.count, resident_);
  }
}

int64_t Hdf5Values::Load(int64_t i, float* image) const {
  const int64_t row = selection_[static_cast<size_t>(i)];
  const int64_t size = layout_.row_size();
  std::vector<float> values(static_cast<size_t>(size));
  if (resident_.empty()) {
    file_.ReadFloats(kImages, row, 1, values);
  } else {
    std::copy_n(resident_.data() + row * size, size, values.data());
  }
  const int64_t plane = layout_.height * layout_.width;
  std::vector<float> planes(values.size());
  for (int64_t c = 0; c < layout_.channels; ++c) {
    const int64_t from = transform_.SourceChannel(c);
    for (int64_t k = 0; k < plane; ++k) {
      const int64_t at = layout_.channels_last ? k * layout_.channels + from : from * plane + k;
      planes[static_cast<size_t>(c * plane + k)] = values[static_cast<size_t>(at)];
    }
  }
  transform_.Normalize(planes.data(), image);
  return labels_[static_cast<size_t>(row)];
}

std::string Hdf5Values::NameOf(int64_t i) const {
  return RowName(file_, selection_[static_cast<size_t>(i)]);
}

}  // namespace sparsify

#include "sparsity/data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string_view>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"

namespace sparsify {
namespace {

constexpr int64_t kMaxContents = 16'000'000'000;
constexpr int64_t kMaxInflation = 1040;  // deflate cannot expand by more than 1032 : 1
constexpr unsigned kReadBytes = 1U << 20;

// A file that zlib inflates when it is gzipped and hands through when it is not.
class GzipFile {
 public:
  explicit GzipFile(const std::string& path)
      : path_(path), file_bytes_(FileSize(path)), file_(gzopen(path.c_str(), "rb")) {
    if (!file_) Fail(path_, "cannot open it");
    gzbuffer(file_.get(), kReadBytes);
  }

  /// Up to `count` bytes; fewer at the end of the file. Throws Error on damage.
  int64_t Read(uint8_t* to, int64_t count) {
    int64_t done = 0;
    while (done < count) {
      const auto want = static_cast<unsigned>(std::min<int64_t>(count - done, kReadBytes));
      const int got = gzread(file_.get(), to + done, want);
      if (got <= 0) break;
      done += got;
    }
    int code = Z_OK;
    const char* message = gzerror(file_.get(), &code);
    if (code == Z_BUF_ERROR) Fail(path_, "the gzip stream ends early; fetch the file again");
    if (code != Z_OK) Fail(path_, "broken gzip stream: {}", message);
    return done;
  }

  /// More contents than a file of this size can hold. Call after the first Read.
  bool CannotHold(int64_t bytes) const {
    return bytes > file_bytes_ * (gzdirect(file_.get()) != 0 ? 1 : kMaxInflation);
  }

 private:
  struct Closer {
    void operator()(gzFile_s* file) const { gzclose(file); }
  };
  std::string path_;
  int64_t file_bytes_;
  std::unique_ptr<gzFile_s, Closer> file_;
};

int64_t BigEndian(const uint8_t* bytes) {
  return int64_t{bytes[0]} << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

// Dimensions and contents of an IDX file of `rank` dimensions of bytes.
struct IdxFile {
  std::vector<int64_t> dims;
  std::vector<uint8_t> values;
};

std::vector<int64_t> ReadHeader(GzipFile& file, const std::string& path, uint8_t rank) {
  std::vector<uint8_t> header(4 + 4 * size_t{rank});
  const auto got = static_cast<size_t>(file.Read(header.data(), std::ssize(header)));
  const uint8_t magic[4] = {0, 0, 8, rank};
  if (got < 4 || !std::equal(magic, magic + 4, header.begin())) {
    std::string found;
    for (size_t i = 0; i < std::min<size_t>(got, 4); ++i) {
      found += fmt::format("{:02x} ", header[i]);
    }
    Fail(path, "not an IDX{} file: it starts with {}, expected 00 00 08 {:02x}", rank,
         found.empty() ? "nothing" : found.substr(0, found.size() - 1), rank);
  }
  if (got < header.size()) Fail(path, "the IDX header ends early");
  std::vector<int64_t> dims;
  for (size_t d = 0; d < rank; ++d) dims.push_back(BigEndian(header.data() + 4 + 4 * d));
  return dims;
}

IdxFile ReadIdx(const std::string& path, uint8_t rank) {
  GzipFile file(path);
  IdxFile idx;
  idx.dims = ReadHeader(file, path, rank);
  int64_t count = 1;
  for (const int64_t dim : idx.dims) {
    if (dim == 0) Fail(path, "the IDX header has a dimension of 0");
    if (dim > kMaxContents / count) Fail(path, "the IDX header asks for absurdly many bytes");
    count *= dim;
  }
  if (file.CannotHold(count)) {
    Fail(path, "the IDX header promises {} bytes, the file is far too short for them", count);
  }
  idx.values.resize(static_cast<size_t>(count));
  const int64_t got = file.Read(idx.values.data(), count);
  if (got < count) Fail(path, "{} bytes after the IDX header, expected {}", got, count);
  uint8_t extra = 0;
  if (file.Read(&extra, 1) != 0) {
    Fail(path, "more than the {} bytes that the IDX header promises", count);
  }
  return idx;
}

std::string LabelsPathFor(const std::string& images_path) {
  const std::string_view images = "images-idx3";
  const std::filesystem::path path(images_path);
  std::string name = path.filename().string();
  const size_t at = name.find(images);
  if (at == std::string::npos) {
    Fail(images_path,
         "cannot tell the label file from this name (it lacks \"images-idx3\"); set labels");
  }
  name.replace(at, images.size(), "labels-idx1");
  std::vector<std::string> tried = {(path.parent_path() / name).string()};
  if (name.ends_with(".gz")) {
    tried.push_back(tried[0].substr(0, tried[0].size() - 3));
  } else {
    tried.push_back(tried[0] + ".gz");
  }
  for (const std::string& candidate : tried) {
    std::error_code error;
    if (std::filesystem::is_regular_file(candidate, error)) return candidate;
  }
  Fail(images_path, "no label file: neither {} nor {} exists; set labels", tried[0], tried[1]);
}

}  // namespace

IdxImages::IdxImages(const std::string& path, const std::string& labels_path) : path_(path) {
  IdxFile images = ReadIdx(path, 3);
  const std::string labels_file = labels_path.empty() ? LabelsPathFor(path) : labels_path;
  IdxFile labels = ReadIdx(labels_file, 1);
  if (images.dims[0] != labels.dims[0]) {
    Fail(labels_file, "{} labels for the {} images of {}", labels.dims[0], images.dims[0], path);
  }
  height_ = images.dims[1];
  width_ = images.dims[2];
  if (height_ * width_ > kMaxImagePixels) {
    Fail(path, "{}×{} pixels an image, at most {} in all are read", height_, width_,
         kMaxImagePixels);
  }
  pixels_ = std::move(images.values);
  labels_ = std::move(labels.values);
}

Image IdxImages::Read(int64_t i) const {
  Image image(height_, width_, 1);
  std::copy_n(pixels_.data() + i * height_ * width_, height_ * width_, image.pixels.data());
  return image;
}

std::string IdxImages::NameOf(int64_t i) const { return fmt::format("{}[{}]", path_, i); }

}  // namespace sparsify

#include "sparsity/data/image_folder.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/data/image_decoder.h"

namespace sparsify {
namespace {

constexpr int64_t kMaxLabelsBytes = 1'000'000'000;

// The next line without its end (LF or CRLF), removed from `rest`.
std::string_view TakeLine(std::string_view& rest) {
  const size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// The file name of a line whose comma was already found; quotes as in RFC 4180.
std::string Unquote(std::string_view field, const std::string& where) {
  if (!field.starts_with('"')) return std::string(field);
  if (field.size() < 2 || !field.ends_with('"')) Fail(where, "the quote is never closed");
  field = field.substr(1, field.size() - 2);
  std::string text;
  for (size_t i = 0; i < field.size(); ++i) {
    text += field[i];
    if (field[i] == '"' && i + 1 < field.size() && field[i + 1] == '"') ++i;
  }
  return text;
}

int64_t ParseLabel(std::string_view field, const std::string& where) {
  int64_t label = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), label);
  if (error != std::errc() || end != field.data() + field.size() || label < 0) {
    Fail(where, "label \"{}\" is not a class number (0, 1, …)", field);
  }
  return label;
}

bool HasImageName(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

}  // namespace

ImageFolder::ImageFolder(const std::string& folder) : folder_(folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    Fail(folder, "not a directory; expected a folder of images with labels.csv");
  }
}

ImageFolder ImageFolder::WithoutLabels(const std::string& folder) {
  ImageFolder images(folder);
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           folder, std::filesystem::directory_options::skip_permission_denied, error)) {
    if (!entry.is_regular_file(error) || !HasImageName(entry.path())) continue;
    images.entries_.push_back({entry.path().lexically_relative(folder).string(), -1});
  }
  if (images.entries_.empty()) Fail(folder, "holds no labels.csv and no .jpg, .jpeg or .png files");
  std::ranges::sort(images.entries_, {}, &Entry::file);
  return images;
}

ImageFolder::ImageFolder(const std::string& folder, const std::string& labels_path,
                         bool check_files)
    : ImageFolder(folder) {
  ReadLabels(
      labels_path.empty() ? (std::filesystem::path(folder) / "labels.csv").string() : labels_path,
      check_files);
}

void ImageFolder::ReadLabels(const std::string& path, bool check_files) {
  const std::string text = ReadFile(path, kMaxLabelsBytes);
  std::string_view rest = text;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  const std::string_view header = TakeLine(rest);
  if (header != "file,label") {
    Fail(path + ":1", "the header is \"{}\", expected \"file,label\"", header.substr(0, 80));
  }
  std::unordered_map<std::string, int64_t> seen;
  for (int64_t line_number = 2; !rest.empty(); ++line_number) {
    const std::string_view line = TakeLine(rest);
    if (line.empty()) continue;
    const std::string where = fmt::format("{}:{}", path, line_number);
    const size_t comma = line.rfind(',');
    if (comma == std::string_view::npos) Fail(where, "\"{}\" has no label", line.substr(0, 80));
    Entry entry{Unquote(line.substr(0, comma), where), ParseLabel(line.substr(comma + 1), where)};
    if (entry.file.empty()) Fail(where, "the file name is empty");
    const auto [first, is_new] = seen.emplace(entry.file, line_number);
    if (!is_new) Fail(where, "\"{}\" is already listed in line {}", entry.file, first->second);
    std::error_code error;
    if (check_files &&
        !std::filesystem::is_regular_file(std::filesystem::path(folder_) / entry.file, error)) {
      Fail(where, "\"{}\" does not exist in {}", entry.file, folder_);
    }
    entries_.push_back(std::move(entry));
  }
  if (entries_.empty()) Fail(path, "lists no images");
}

Image ImageFolder::Read(int64_t i) const { return ReadImage(NameOf(i)); }

std::string ImageFolder::NameOf(int64_t i) const {
  return (std::filesystem::path(folder_) / entries_[static_cast<size_t>(i)].file).string();
}

}  // namespace sparsify

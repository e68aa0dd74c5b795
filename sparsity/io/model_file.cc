#include "sparsity/io/model_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "sparsity/io/checkpoint_seal.h"
#include "sparsity/io/onnx.h"

namespace sparsify {
namespace {

Checkpoint LoadOnnxModel(const std::string& path) {
  Checkpoint checkpoint;
  checkpoint.graph = LoadOnnx(path);
  return checkpoint;
}

void SaveOnnxModel(const Checkpoint& checkpoint, const std::string& path) {
  if (!checkpoint.masks.empty() || !checkpoint.layers.empty() || !checkpoint.history.empty()) {
    Note(
        "{}: ONNX keeps the network and its zeros; masks, layer table, metrics and history stay "
        "behind",
        path);
  }
  SaveOnnx(checkpoint.graph, path);
}

struct Format {
  std::string_view name;
  std::array<std::string_view, 2> extensions;
  std::array<std::string_view, 2> signatures;  // of the first bytes; empty: none
  Checkpoint (*load)(const std::string& path);
  void (*save)(const Checkpoint& checkpoint, const std::string& path);
};

constexpr std::array<Format, 2> kFormats = {{
    {"sparsify checkpoint",
     {".h5", ".hdf5"},
     {kSealMagic, "\x89HDF\r\n\x1a\n"},
     LoadCheckpoint,
     SaveCheckpoint},
    {"ONNX", {".onnx"}, {}, LoadOnnxModel, SaveOnnxModel},
}};

std::string Extension(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

const Format* ByExtension(const std::string& path) {
  const std::string extension = Extension(path);
  for (const Format& format : kFormats) {
    for (const std::string_view known : format.extensions) {
      if (!known.empty() && known == extension) return &format;
    }
  }
  return nullptr;
}

const Format* BySignature(const std::string& path) {
  std::string start(8, '\0');
  std::ifstream(path, std::ios::binary).read(start.data(), static_cast<std::streamsize>(8));
  for (const Format& format : kFormats) {
    for (const std::string_view signature : format.signatures) {
      if (!signature.empty() && start.starts_with(signature)) return &format;
    }
  }
  return nullptr;
}

std::string KnownFormats() {
  std::string known;
  for (const Format& format : kFormats) {
    for (const std::string_view extension : format.extensions) {
      if (extension.empty()) continue;
      known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", extension, format.name);
    }
  }
  return known;
}

}  // namespace

Checkpoint LoadModelFile(const std::string& path) {
  if (FileSize(path) == 0) Fail(path, "is empty, expected a model");
  const Format* format = BySignature(path);
  if (format == nullptr) format = ByExtension(path);
  if (format == nullptr) {
    Fail(path, "is no model file this program knows; known: {}", KnownFormats());
  }
  return format->load(path);
}

void SaveModelFile(const Checkpoint& checkpoint, const std::string& path) {
  const Format* format = ByExtension(path);
  if (format == nullptr) {
    Fail(path, "unknown extension \"{}\" for a model; known: {}", Extension(path), KnownFormats());
  }
  format->save(checkpoint, path);
}

}  // namespace sparsify

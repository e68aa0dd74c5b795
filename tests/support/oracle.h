// Other engines as oracles: Python scripts of tests/oracles and the shared models.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/tensor/tensor.h"

namespace sparsify::testing {

/// The directory in SPARSIFY_SHARED_DATA, or nothing when unset.
std::optional<std::filesystem::path> SharedData();

/// models/*.onnx under SharedData(), sorted; empty when there are none.
std::vector<std::filesystem::path> SharedModels();

/// An empty directory that is removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

enum class OracleResult { kDone, kUnavailable, kFailed };

/// Runs tests/oracles/<script> with SPARSIFY_PYTHON (python3 by default). kUnavailable when
/// the interpreter or a module the script needs is missing.
OracleResult RunOracle(const std::string& script, const std::vector<std::string>& arguments);

/// int64 rank, int64 dimensions, float32 elements (see onnxruntime_logits.py).
void WriteTensor(const std::filesystem::path& path, const Tensor& tensor);
Tensor ReadTensor(const std::filesystem::path& path);

}  // namespace sparsify::testing

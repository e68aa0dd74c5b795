#include "tests/support/oracle.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace sparsify::testing {

namespace fs = std::filesystem;

std::optional<fs::path> SharedData() {
  const char* folder = std::getenv("SPARSIFY_SHARED_DATA");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return fs::path(folder);
}

std::vector<fs::path> SharedModels() {
  std::vector<fs::path> models;
  const auto data = SharedData();
  if (!data || !fs::is_directory(*data / "models")) return models;
  for (const auto& entry : fs::directory_iterator(*data / "models")) {
    if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  }
  std::sort(models.begin(), models.end());
  return models;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "sparsify_test_XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

OracleResult RunOracle(const std::string& script, const std::vector<std::string>& arguments) {
  const char* python = std::getenv("SPARSIFY_PYTHON");
  std::vector<std::string> words = {python != nullptr ? python : "python3",
                                    std::string(SPARSIFY_ORACLES) + "/" + script};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(77);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return OracleResult::kFailed;
  if (WEXITSTATUS(status) == 77) return OracleResult::kUnavailable;
  return WEXITSTATUS(status) == 0 ? OracleResult::kDone : OracleResult::kFailed;
}

void WriteTensor(const fs::path& path, const Tensor& tensor) {
  std::ofstream file(path, std::ios::binary);
  const int64_t rank = tensor.shape().rank();
  file.write(reinterpret_cast<const char*>(&rank), sizeof(rank));
  file.write(reinterpret_cast<const char*>(tensor.shape().dims().data()), rank * 8);
  file.write(reinterpret_cast<const char*>(tensor.data()), tensor.size() * 4);
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

Tensor ReadTensor(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  int64_t rank = 0;
  file.read(reinterpret_cast<char*>(&rank), sizeof(rank));
  if (!file || rank < 0 || rank > 8) throw std::runtime_error("cannot read " + path.string());
  std::vector<int64_t> dims(static_cast<size_t>(rank));
  file.read(reinterpret_cast<char*>(dims.data()), rank * 8);
  Tensor tensor{Shape(dims)};
  file.read(reinterpret_cast<char*>(tensor.data()), tensor.size() * 4);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return tensor;
}

}  // namespace sparsify::testing

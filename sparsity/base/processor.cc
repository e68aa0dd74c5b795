#include "sparsity/base/processor.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <thread>

namespace sparsify {

std::string ValueInFile(const std::string& path, std::string_view key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t at = line.find(separator);
    if (at == std::string::npos) continue;
    const size_t end = line.find_last_not_of(" \t", at == 0 ? 0 : at - 1);
    if (std::string_view(line).substr(0, end + 1) != key) continue;
    const size_t start = line.find_first_not_of(" \t", at + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

std::string ProcessorName() {
  for (const std::string_view key : {"model name", "Model", "cpu model"}) {
    if (std::string name = ValueInFile("/proc/cpuinfo", key, ':'); !name.empty()) return name;
  }
  return "unknown";
}

int UsableProcessors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace sparsify

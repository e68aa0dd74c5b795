#include "sparsity/executor/stolen_time.h"

#include <fstream>
#include <sstream>
#include <string>

namespace sparsify {

std::optional<ProcessorTime> ParseProcessorTime(std::string_view text) {
  std::istringstream line{std::string(text.substr(0, text.find('\n')))};
  std::string label;
  if (!(line >> label) || label != "cpu") return std::nullopt;
  // user nice system idle iowait irq softirq steal; guest time is part of user time.
  constexpr int kFields = 8;
  ProcessorTime time;
  for (int i = 0; i < kFields; ++i) {
    int64_t value = 0;
    if (!(line >> value)) return std::nullopt;
    time.total += value;
    if (i == kFields - 1) time.steal = value;
  }
  return time;
}

std::optional<ProcessorTime> ReadProcessorTime() {
  std::ifstream file("/proc/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return ParseProcessorTime(line);
}

double StolenPercent(const std::optional<ProcessorTime>& from,
                     const std::optional<ProcessorTime>& to) {
  if (!from || !to || to->total <= from->total) return 0;
  return 100.0 * static_cast<double>(to->steal - from->steal) /
         static_cast<double>(to->total - from->total);
}

}  // namespace sparsify

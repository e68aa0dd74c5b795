// How much processor time other guests of the machine took: a timing's noise.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sparsify {

/// Jiffies since start-up, all processors together.
struct ProcessorTime {
  int64_t total = 0;
  int64_t steal = 0;
};

/// From the text of /proc/stat; nothing when its first line is not as expected.
std::optional<ProcessorTime> ParseProcessorTime(std::string_view text);
/// Of this machine, where the system tells.
std::optional<ProcessorTime> ReadProcessorTime();

/// Percent of the time between the two readings; 0 when either is missing.
double StolenPercent(const std::optional<ProcessorTime>& from,
                     const std::optional<ProcessorTime>& to);

}  // namespace sparsify

// The constants of docs/checkpoint_format.md and the escaping of names, shared by the
// files that read and write checkpoints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sparsify::checkpoint_format {

inline constexpr uint32_t kMajor = 1;
inline constexpr uint32_t kMinor = 0;
inline constexpr std::string_view kFormatName = "sparsify checkpoint";
inline constexpr std::string_view kNodeAttributePrefix = "attr.";

/// A value's name as an HDF5 link name: '/', '%', control characters, and the dots of a name
/// that is only dots become %XX.
std::string EscapeName(std::string_view name);
/// "/weights/" + the escaped name.
std::string WeightPath(std::string_view parameter);
std::string MaskPath(std::string_view parameter);
/// "/graph/nodes/0012"
std::string NodePath(int64_t index);
std::string PortPath(std::string_view side, int64_t index);

}  // namespace sparsify::checkpoint_format

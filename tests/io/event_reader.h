// Reads event files byte by byte: shares no code with what writes them, neither protobuf nor the
// table of checksums.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sparsify::testing {

struct ReadEvent {
  double wall_time = 0;
  int64_t step = 0;
  std::string file_version;
  int64_t session_status = -1;  // −1: there is none
  std::map<std::string, float> scalars;
};

/// Throws std::runtime_error where a checksum is wrong, a record is cut off, or a field is none of
/// those above.
std::vector<ReadEvent> ReadEvents(const std::string& path);

/// The curve of a tag over all files of a folder, as TensorBoard shows it: a start forgets its step
/// and all later ones.
std::map<int64_t, float> ReadCurve(const std::string& folder, const std::string& tag);

}  // namespace sparsify::testing

#include "sparsity/io/checkpoint_format.h"

#include <fmt/format.h>

namespace sparsify::checkpoint_format {

std::string EscapeName(std::string_view name) {
  const bool only_dots = name.find_first_not_of('.') == std::string_view::npos;
  std::string escaped;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '/' || c == '%' || byte < 0x20 || byte == 0x7F || (only_dots && c == '.')) {
      escaped += fmt::format("%{:02X}", byte);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string WeightPath(std::string_view parameter) { return "/weights/" + EscapeName(parameter); }

std::string MaskPath(std::string_view parameter) { return "/masks/" + EscapeName(parameter); }

std::string NodePath(int64_t index) { return fmt::format("/graph/nodes/{:04}", index); }

std::string PortPath(std::string_view side, int64_t index) {
  return fmt::format("/graph/{}/{:04}", side, index);
}

}  // namespace sparsify::checkpoint_format

// The program's version, as printed by --version and written into every result.
#pragma once

#include <string_view>

namespace sparsify {

/// "0.1.0".
std::string_view Version();

}  // namespace sparsify

// What the operating system says about the processor.
#pragma once

#include <string>
#include <string_view>

namespace sparsify {

/// The model, or "unknown".
std::string ProcessorName();

/// How many this process may run on; at least 1.
int UsableProcessors();

/// The value of the first line "key<blanks><separator>value" of a text file, or "".
std::string ValueInFile(const std::string& path, std::string_view key, char separator);

}  // namespace sparsify

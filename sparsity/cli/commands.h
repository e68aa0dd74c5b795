// The commands behind the command line; results go to standard output.
#pragma once

#include "sparsity/cli/command_line.h"

namespace sparsify {

/// Does what the command line asks for. Throws Error.
void RunCommand(const CommandLine& line);

}  // namespace sparsify

// The commands behind the command line; results go to standard output.
#pragma once

#include "sparsity/base/communicator.h"
#include "sparsity/cli/command_line.h"

namespace sparsify {

/// Does what the command line asks for. Several ranks share the work of a run; of all else rank 0
/// does it and the others nothing. Throws Error.
void RunCommand(const CommandLine& line, Communicator& ranks);

}  // namespace sparsify

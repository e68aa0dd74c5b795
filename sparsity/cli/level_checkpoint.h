// What every level's checkpoint says of itself, however it was made.
#pragma once

#include <string>

#include "sparsity/cli/prepare.h"

namespace sparsify {

/// Requested and achieved sparsities of every layer and of the network, as the masks have them.
void RecordSparsity(const PreparedRun& run, size_t level, Checkpoint& checkpoint);

/// Adds a line to the history, now, by this version.
void AddHistory(std::string action, Checkpoint& checkpoint);

}  // namespace sparsify

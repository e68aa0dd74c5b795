// Ranks that are threads of the test: an oracle for what processes do together.
#pragma once

#include <functional>

#include "sparsity/base/communicator.h"

namespace sparsify::testing {

/// Calls body(ranks) in `size` threads at once, each with a Communicator of its own, on one OpenMP
/// thread each. When one throws the others' calls of the Communicator throw, too; the first error
/// is thrown here when all have ended.
void RunRanks(int size, const std::function<void(Communicator& ranks)>& body);

}  // namespace sparsify::testing

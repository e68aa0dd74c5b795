// What the figures of a run were measured on.
#pragma once

#include <string>

#include "sparsity/report/csv.h"

namespace sparsify {

/// Processor, core count, instruction sets, memory, operating system, compiler and library
/// versions, as name/value rows. No host names, no user names, no paths.
CsvTable MachineTable();

}  // namespace sparsify

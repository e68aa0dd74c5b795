// A fingerprint of a network.
#pragma once

#include <string>

#include "sparsity/graph/graph.h"

namespace sparsify {

/// Hash of nodes, attributes, and parameters with their data (64-bit FNV-1a), in hexadecimal.
std::string HashGraph(const Graph& graph);

}  // namespace sparsify

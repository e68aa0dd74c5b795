// What makes the levels of two runs interchangeable: the resolved configuration without
// `sweep` and `output`, and the network itself.
#pragma once

#include <string>

#include "sparsity/cli/run_config.h"
#include "sparsity/graph/graph.h"

namespace sparsify {

struct RunIdentity {
  std::string configuration;  // resolved YAML, without sweep and output
  std::string network;        // hash of nodes and weights, hexadecimal

  void VisitFields(OptionVisitor& v);
};

RunIdentity IdentityOf(const RunConfig& config, const Graph& graph);

/// What differs, for a message: "it had "seed: 0", now "seed: 1"", or empty when equal.
std::string DescribeDifference(const RunIdentity& before, const RunIdentity& now);

}  // namespace sparsify

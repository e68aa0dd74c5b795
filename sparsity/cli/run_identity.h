// What makes the levels of two runs interchangeable: the resolved configuration without
// `sweep` and `output`, the network itself, and the lists of images and labels.
#pragma once

#include <string>
#include <vector>

#include "sparsity/cli/run_config.h"
#include "sparsity/data/dataset.h"
#include "sparsity/graph/graph.h"

namespace sparsify {

struct RunIdentity {
  std::string configuration;  // resolved YAML, without sweep and output
  std::string network;        // hash of nodes and weights, hexadecimal
  std::string data = {};      // of the names and labels of all samples; empty: not recorded

  void VisitFields(OptionVisitor& v);
};

/// Of datasets that are null nothing is recorded.
RunIdentity IdentityOf(const RunConfig& config, const Graph& graph,
                       const std::vector<const Dataset*>& data = {});

/// What differs, for a message: "it had "seed: 0", now "seed: 1"", or empty when equal.
std::string DescribeDifference(const RunIdentity& before, const RunIdentity& now);

}  // namespace sparsify

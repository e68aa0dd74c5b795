// What makes the levels of two runs interchangeable: the resolved configuration without
// `sweep` and `output`, the network itself, the lists of images and labels, the tables that the
// allocation reads, and, where a level starts from the one before, the levels.
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
  std::string tables = {};    // of the allocation's files; empty: it has none, or not recorded
  std::vector<double> stages = {};  // levels that start from the one before; else empty

  void VisitFields(OptionVisitor& v);
};

/// Of datasets that are null nothing is recorded; `stages` as above. Throws Error where a table of
/// the allocation cannot be read; one that is not there is left to its reader.
RunIdentity IdentityOf(const RunConfig& config, const Graph& graph,
                       const std::vector<const Dataset*>& data = {},
                       const std::vector<double>& stages = {});

/// What differs, for a message: "it had "seed: 0", now "seed: 1"", or empty when levels of one may
/// stand for those of the other. Limits of memory are no difference, nor are more stages behind
/// those there were are no difference.
std::string DescribeDifference(const RunIdentity& before, const RunIdentity& now);

}  // namespace sparsify

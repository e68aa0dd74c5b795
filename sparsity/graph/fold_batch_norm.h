// Folds batch normalisation into the convolution or fully connected layer before it.
//
// With s = scale / sqrt(var + epsilon):  W'[o,…] = s[o] · W[o,…],  b'[o] = s[o] · (b[o] − mean[o])
// + shift[o] (Jacob et al., 2018, §3.2). Zeros of W stay exactly zero, so masks survive.
#pragma once

#include <string>
#include <vector>

#include "sparsity/graph/graph.h"

namespace sparsify {

struct FoldReport {
  int folded = 0;
  /// A BatchNormalization that stays in the graph, and why.
  struct Kept {
    std::string node;
    std::string reason;
  };
  std::vector<Kept> kept;
};

/// The same function with every BatchNormalization folded that directly follows a Conv or
/// Gemm whose output nothing else reads and whose weight and bias nothing else uses. The
/// others stay and are listed in `report` (may be null). Weights keep their names; a missing
/// bias is added as "<layer>.bias". Values that nothing reads any more are dropped, so
/// ValueIds differ from the argument's. Throws Error when a variance is not positive.
Graph FoldBatchNorms(Graph graph, FoldReport* report = nullptr);

}  // namespace sparsify

// Recognises the sparsity pattern that an existing weight already has.
#pragma once

#include <string>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// One of, the most regular that the zeros of a weight O×I×KH×KW or O×I have:
///   "dense", "dense (3 zeros)" (below 1 %), "all zero",
///   "filters (12 of 64)"         whole output channels
///   "input channels (8 of 32)"   whole input channels
///   "2:4", "1:4", "4:8" …        of M consecutive input channels at most N stay, and at
///                                least 90 % of N do on average; M in {2, 4, 8, 16, 32}
///   "kernels"                    all taps of an (output, input) pair together
///   "block 1x4", "block 4x4" …   output × input channels, largest block first
///   "unstructured"
/// Trained weights are zero here and there, so up to 1 % of the weights outside the zeroed
/// channels, kernels or blocks may be zero too. Patterns of groups need at least 8 groups of
/// each kind, so that chance does not make one.
/// Other ranks (biases) are only "dense", "all zero" or "unstructured".
std::string DescribePattern(const Tensor& weight);

}  // namespace sparsify

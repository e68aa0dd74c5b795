// `sparsify bench FILE`: what the zeros of a network file buy on this machine.
#pragma once

#include <string>

#include "sparsity/base/options_yaml.h"
#include "sparsity/executor/measure.h"
#include "sparsity/io/checkpoint.h"

namespace sparsify {

/// The `benchmark:` section of a document that has no other keys; defaults where it has none.
/// Throws a usage Error for anything else in it.
BenchmarkOptions ReadBenchmark(const OptionsDocument& document);

/// Times the network as it is, its zeros by the sparse plan beside the dense plans (measure.h), at
/// every batch size, number of threads and of streams of `options`. Two tables for a person: the
/// rows, and the layers of each row with the kernel, time, share of the machine's peak, and why one
/// stayed dense. Polls for Ctrl-C. Throws Error when outputs differ or a batch size does not fit.
std::string BenchModel(const Checkpoint& model, const std::string& path,
                       const BenchmarkOptions& options);

}  // namespace sparsify

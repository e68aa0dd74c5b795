// How the ranks of a run (communicator.h) share its work, and what they tell each other of it.
#pragma once

#include <string>
#include <vector>

#include "sparsity/base/communicator.h"
#include "sparsity/cli/dense_result.h"
#include "sparsity/cli/prepare.h"

namespace sparsify {

enum class Sharing {
  kAlone,    // one rank
  kBatches,  // training: every rank computes its part of every batch
  kLevels,   // post training: every rank makes some of the sparsities
};

Sharing SharingOf(const PreparedRun& run);

/// Throws a usage Error where several ranks have nothing to share (progressive levels). Says when
/// some will have nothing to do, and when the ranks are bound to fewer processors than the
/// benchmark asks threads for.
void CheckSharing(const PreparedRun& run, const OptionsDocument& document);

/// "2 ranks, each computes its part of every batch", or empty for one.
std::string DescribeSharing(const PreparedRun& run);

/// Rank 0's targets of every level, bit by bit.
void ShareTargets(Communicator& ranks, std::vector<std::vector<LayerTarget>>& targets);

/// Rank 0's dense result.
void ShareDense(Communicator& ranks, DenseResult& dense);

/// Threads for this rank: `wanted`, or if that is 0 an equal part of the processors for the ranks
/// that may run on the same ones. Says it where mpirun has bound the ranks to few of a machine's.
int ThreadsOfRank(Communicator& ranks, int wanted);

/// Returns when the file, which another rank has written, is there: network file systems may show
/// it late. Throws Error after a minute and a half.
void AwaitFile(const std::string& path);

/// Whether rank 0 sees the file. All ranks call it together; where it does, the others await it.
bool FirstSees(const PreparedRun& run, const std::string& path);

}  // namespace sparsify

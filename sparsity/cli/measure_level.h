// What is measured on one level: accuracy and speed, as rows for the tables.
#pragma once

#include <string>
#include <vector>

#include "reconstruction/repair.h"
#include "sparsity/cli/level_record.h"
#include "sparsity/cli/phase_clock.h"
#include "sparsity/cli/prepare.h"
#include "sparsity/executor/measure.h"
#include "sparsity/training/evaluate.h"

namespace sparsify {

/// Evaluates `graph`; agreement is counted against `dense_predictions` unless null.
Evaluation EvaluateNetwork(const PreparedRun& run, const Graph& graph, const std::string& title,
                           const std::vector<int64_t>* dense_predictions);

/// A row of accuracy.csv. `percent` 0 is the dense network.
std::vector<std::string> AccuracyRow(const PreparedRun& run, double percent, double achieved,
                                     const Evaluation& evaluation);

/// Warns when a network that could classify has come near guessing.
/// `dense_top1` and `sparse_top1` are percent.
void WarnOfCollapse(double percent, double dense_top1, double sparse_top1, int64_t classes,
                    bool repaired);

/// Whether other programs disturbed the timing: medians far above the minima.
bool IsDisturbed(const SpeedRow& row);

/// Measures every combination of batch, threads and streams; warns where the timing was disturbed.
std::vector<SpeedRow> MeasureAll(const Graph& graph, const BenchmarkOptions& options);

/// The same of the benchmark section, as rows of sparsity `percent`; empty when there is none.
std::vector<SpeedRow> MeasureNetwork(const PreparedRun& run, const Graph& graph, double percent);

/// Rows of speedup.csv, cells in sequence.
std::vector<std::string> SpeedupCells(const PreparedRun& run, const std::vector<SpeedRow>& rows);

/// Rows of repair.csv and times.csv, cells in sequence.
std::vector<std::string> RepairCells(double percent, const std::vector<RepairedUnit>& units);
std::vector<std::string> TimesCells(double percent, const PhaseClock& clock);

/// Rows of layers.csv, cells in sequence; kernels and times are the first measurement's.
std::vector<std::string> LayerCells(const PreparedRun& run, double percent,
                                    const std::vector<LayerSparsity>& layers,
                                    const std::vector<SpeedRow>& rows);

}  // namespace sparsify

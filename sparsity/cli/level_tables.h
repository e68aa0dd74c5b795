// The analysis of level pruning as three CSV files that a person can read, plot and edit: made
// from a network and written. level_tables_reader.h reads them back.
#pragma once

#include <string>
#include <vector>

#include "schedulers/scheduler_options.h"
#include "sparsity/allocation/allocation.h"
#include "sparsity/report/csv.h"

namespace sparsify {

/// By level and layer.
using LevelTargets = std::vector<std::vector<LayerTarget>>;

/// What an analysis is of.
struct LevelQuestion {
  const Graph& graph;
  const std::vector<Layer>& layers;
  const std::vector<std::string>& skipped;  // by layer: why it stays dense, or empty
  const std::vector<double>& levels;        // percent
  const AmbaLevelPruneOptions& options;

  /// Whether energies decide (prun_algo 1); otherwise every layer gets the level.
  bool ByEnergy() const { return options.prun_algo != 0; }
};

/// Names of the files of an analysis.
struct LevelFiles {
  std::string folder;

  std::string Search() const { return folder + "/level_search.csv"; }
  std::string Steps() const { return folder + "/level_steps.csv"; }
  std::string Layers() const { return folder + "/level_layers.csv"; }
  /// Where a level_layers.csv goes that is replaced by another: a person may have edited it.
  std::string Backup() const { return Layers() + ".bak"; }
};

/// The tables; percent and Σ of squares as numbers in the C locale, "-" where there is none.
///   search  level, step, energy_percent, sparsity_percent: every E that was tried; the last
///           row of a level is the one that was taken
///   steps   level, step, layer, sparsity_percent: what each layer gives at that step
///   layers  a row a level and layer: LayerTableColumns()
/// A level of 0 % needs no search. With prun_algo 0 `search` and `steps` have no rows.
struct LevelTables {
  CsvTable search;
  CsvTable steps;
  CsvTable layers;
};

const std::vector<std::string>& SearchTableColumns();
const std::vector<std::string>& StepTableColumns();
/// level, layer, shape (O×I×KH×KW), input (C×H×W), macs (an image), parameters, stride_factor
/// (E_l/E), energy (Σw²), energy_lost_percent (what the smallest of the weights hold, as many as
/// go), sparsity_percent, skipped (why the layer stays dense), prun_algo, tuning, tolerance.
const std::vector<std::string>& LayerTableColumns();

/// "64x3x7x7".
std::string DimensionsText(const Shape& shape);

/// Σw² of every layer's weight, in double. Throws Error on a NaN or infinity, naming the layer.
std::vector<double> WeightEnergies(const LevelQuestion& question);

/// The targets that Allocate gives for each level, and the tables that say how they came about.
/// Throws what Allocate throws.
LevelTargets SearchLevels(const LevelQuestion& question, LevelTables& tables);

/// Writes the files that have rows, each at once or not at all, level_layers.csv last; removes the
/// others. A level_layers.csv with other contents is kept as Backup(), which is noted. Makes the
/// folder if it is missing. Throws Error when a file cannot be written.
void WriteLevelTables(const LevelTables& tables, const LevelFiles& files);

}  // namespace sparsify

#include "sparsity/cli/learned_targets.h"

#include <cmath>
#include <filesystem>
#include <map>

#include "reconstruction/learn_allocation.h"
#include "sparsity/allocation/csv_rows.h"
#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

constexpr std::string_view kRemedy = "remove the file to learn again";
constexpr double kExact = 1e-6;  // percent

std::map<std::string, double> ReadFractions(const std::string& path, std::string_view remedy) {
  CsvRows rows(path, "the sparsity of the layers", {"layer", "sparsity"});
  std::map<std::string, double> fractions;
  while (const auto row = rows.Next()) {
    const auto percent = ParseCell(row->at(1));
    if (!percent || *percent < 0 || *percent > 100) {
      FailUsage(rows.Where(), "sparsity \"{}\" is no percentage in 0 … 100; {}", row->at(1),
                remedy);
    }
    fractions[row->at(0)] = *percent / 100;
  }
  return fractions;
}

}  // namespace

void WriteLayerTargets(const PreparedRun& run, const std::vector<double>& sparsity,
                       const std::string& path) {
  std::string text = "layer,sparsity\n";
  for (size_t i = 0; i < run.layers.size(); ++i) {
    if (!run.skipped[i].empty()) continue;
    text += fmt::format("{},{:.12g}\n", QuoteCell(run.layers[i].name), 100 * sparsity[i]);
  }
  WriteFileAtomically(path, text);
}

std::vector<LayerTarget> ReadLayerTargets(const PreparedRun& run, const std::string& path,
                                          double percent, double tolerance,
                                          std::string_view remedy) {
  std::map<std::string, double> fractions = ReadFractions(path, remedy);
  std::vector<LayerTarget> targets;
  std::vector<double> each;
  for (size_t i = 0; i < run.layers.size(); ++i) {
    targets.push_back({0, run.skipped[i]});
    if (run.skipped[i].empty()) {
      const auto row = fractions.extract(run.layers[i].name);
      if (row.empty()) {
        FailUsage(path, "layer \"{}\" is missing; {}", run.layers[i].name, remedy);
      }
      targets.back().sparsity = row.mapped();
    }
    each.push_back(targets.back().sparsity);
  }
  if (!fractions.empty()) {
    FailUsage(path, "\"{}\" is no layer that may be pruned; {}", fractions.begin()->first, remedy);
  }
  const double sum = 100 * SumSparsity(run.layers, run.skipped, each).selected;
  if (std::abs(sum - percent) > tolerance) {
    FailUsage(path, "the layers give {:.6g} %, not {:.6g} %; {}", sum, percent, remedy);
  }
  return targets;
}

std::vector<LayerTarget> LearnedTargets(const PreparedRun& run, const RunFiles& files,
                                        double percent) {
  const std::string path = files.LearnedSparsity(percent);
  const std::string title = FormatPercent(percent) + " %: FCPTS";
  if (std::filesystem::exists(path)) {
    Note("{}: learned before", title);
    return ReadLayerTargets(run, path, percent, kExact, kRemedy);
  }
  const LearnAllocationTask task{
      .graph = run.model.graph,
      .layers = run.layers,
      .skipped = run.skipped,
      .sparsity = percent / 100,
      .calibration = run.calibration ? *run.calibration : *run.measuring,
      .row_normalized = run.config.sparsity.mask_generator.normal.row_normalized,
      .seed = static_cast<uint64_t>(run.config.seed),
      .title = title};
  WriteLayerTargets(run, LearnAllocation(task, run.allocation).sparsity, path);
  return ReadLayerTargets(run, path, percent, kExact, kRemedy);
}

}  // namespace sparsify

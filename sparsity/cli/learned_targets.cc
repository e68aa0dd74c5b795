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

void Write(const PreparedRun& run, const LearnedAllocation& learned, const std::string& path) {
  std::string text = "layer,sparsity\n";
  for (size_t i = 0; i < run.layers.size(); ++i) {
    if (!run.skipped[i].empty()) continue;
    text += fmt::format("{},{:.12g}\n", QuoteCell(run.layers[i].name), 100 * learned.sparsity[i]);
  }
  WriteFileAtomically(path, text);
}

std::map<std::string, double> ReadFractions(const std::string& path) {
  CsvRows rows(path, "the learned sparsity of the layers", {"layer", "sparsity"});
  std::map<std::string, double> fractions;
  while (const auto row = rows.Next()) {
    const auto percent = ParseCell(row->at(1));
    if (!percent || *percent < 0 || *percent > 100) {
      FailUsage(rows.Where(), "sparsity \"{}\" is no percentage in 0 … 100; {}", row->at(1),
                kRemedy);
    }
    fractions[row->at(0)] = *percent / 100;
  }
  return fractions;
}

std::vector<LayerTarget> Read(const PreparedRun& run, const std::string& path, double percent) {
  std::map<std::string, double> fractions = ReadFractions(path);
  std::vector<LayerTarget> targets;
  std::vector<double> each;
  for (size_t i = 0; i < run.layers.size(); ++i) {
    targets.push_back({0, run.skipped[i]});
    if (run.skipped[i].empty()) {
      const auto row = fractions.extract(run.layers[i].name);
      if (row.empty()) {
        FailUsage(path, "layer \"{}\" is missing; {}", run.layers[i].name, kRemedy);
      }
      targets.back().sparsity = row.mapped();
    }
    each.push_back(targets.back().sparsity);
  }
  if (!fractions.empty()) {
    FailUsage(path, "\"{}\" is no layer that may be pruned; {}", fractions.begin()->first, kRemedy);
  }
  const double sum = 100 * SumSparsity(run.layers, run.skipped, each).selected;
  if (std::abs(sum - percent) > 1e-6) {
    FailUsage(path, "the layers give {:.6g} %, not {:.6g} %; {}", sum, percent, kRemedy);
  }
  return targets;
}

}  // namespace

std::vector<LayerTarget> LearnedTargets(const PreparedRun& run, const RunFiles& files,
                                        double percent) {
  const std::string path = files.LearnedSparsity(percent);
  const std::string title = FormatPercent(percent) + " %: FCPTS";
  if (std::filesystem::exists(path)) {
    Note("{}: learned before", title);
    return Read(run, path, percent);
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
  Write(run, LearnAllocation(task, run.allocation), path);
  return Read(run, path, percent);
}

}  // namespace sparsify

#include "sparsity/allocation/sensitivity.h"

#include <fmt/format.h>

#include <algorithm>

#include "sparsity/allocation/csv_rows.h"
#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

// Ten digits: 0.57 is 57, and reading and writing again changes nothing.
std::string Percent(double fraction) { return fmt::format("{:.10g}", fraction * 100); }

// One row of the file.
struct Point {
  std::string layer;
  int64_t parameters = 0;
  int64_t macs = 0;
  double sparsity = 0;
  double loss = 0;
};

Point ParsePoint(const CsvRows& rows, const std::vector<std::string>& row) {
  constexpr double kMostCount = 1e15;
  constexpr double kMostLoss = 1e30;
  Point point;
  point.layer = row[0];
  point.parameters = static_cast<int64_t>(NumberCell(rows, row[1], "parameters", 1, kMostCount));
  point.macs = static_cast<int64_t>(NumberCell(rows, row[2], "macs", 0, kMostCount));
  point.sparsity = NumberCell(rows, row[3], "sparsity", 0, 100) / 100;
  point.loss = NumberCell(rows, row[4], "loss", 0, kMostLoss);
  return point;
}

void AddPoint(const CsvRows& rows, const Point& point, SensitivityCurve& curve) {
  if (point.parameters != curve.parameters || point.macs != curve.macs) {
    FailUsage(rows.Where(), "layer \"{}\" has {} parameters and {} macs, {} and {} before",
              point.layer, point.parameters, point.macs, curve.parameters, curve.macs);
  }
  if (!curve.sparsity.empty() && point.sparsity <= curve.sparsity.back()) {
    FailUsage(rows.Where(), "layer \"{}\": sparsity {} after {}; the points must increase",
              point.layer, Percent(point.sparsity), Percent(curve.sparsity.back()));
  }
  curve.sparsity.push_back(point.sparsity);
  curve.loss.push_back(point.loss);
}

void CheckUnit(const std::vector<SensitivityCurve>& curves, const std::string& path) {
  double largest = 0;
  for (const SensitivityCurve& curve : curves) largest = std::max(largest, curve.sparsity.back());
  if (largest > 0 && largest <= 0.01) {
    FailUsage(path, "no sparsity is above {}: these are fractions, the file is in percent",
              Percent(largest));
  }
}

}  // namespace

void WriteSensitivity(const std::vector<SensitivityCurve>& curves, const std::string& path) {
  std::string text = "layer,parameters,macs,sparsity,loss\n";
  for (const SensitivityCurve& curve : curves) {
    for (size_t i = 0; i < curve.sparsity.size(); ++i) {
      text += fmt::format("{},{},{},{},{}\n", QuoteCell(curve.layer), curve.parameters, curve.macs,
                          Percent(curve.sparsity[i]), curve.loss[i]);
    }
  }
  WriteFileAtomically(path, text);
}

std::vector<SensitivityCurve> ReadSensitivity(const std::string& path) {
  CsvRows rows(path, "sensitivity of the layers",
               {"layer", "parameters", "macs", "sparsity", "loss"});
  std::vector<SensitivityCurve> curves;
  while (const auto row = rows.Next()) {
    const Point point = ParsePoint(rows, *row);
    auto curve = std::find_if(curves.begin(), curves.end(),
                              [&](const auto& known) { return known.layer == point.layer; });
    if (curve == curves.end()) {
      curves.push_back({point.layer, point.parameters, point.macs, {}, {}});
      curve = curves.end() - 1;
    }
    AddPoint(rows, point, *curve);
  }
  CheckUnit(curves, path);
  return curves;
}

void CheckCurves(const std::vector<SensitivityCurve>& curves, const std::vector<Layer>& layers,
                 const std::string& where) {
  std::vector<std::string> known;
  for (const Layer& layer : layers) known.push_back(layer.name);
  for (const SensitivityCurve& curve : curves) {
    const int at = FindLayer(layers, curve.layer);
    if (at < 0) {
      FailUsage(where, "the network has no layer \"{}\"{}; the curves are another network's",
                curve.layer, DidYouMean(curve.layer, known));
    }
    const Layer& layer = layers[static_cast<size_t>(at)];
    if (layer.parameters == curve.parameters && layer.macs == curve.macs) continue;
    FailUsage(where,
              "layer \"{}\" was measured with {} parameters and {} macs, the network's has {} and "
              "{}; measure the curves of this network",
              curve.layer, curve.parameters, curve.macs, layer.parameters, layer.macs);
  }
}

const SensitivityCurve* FindCurve(const std::vector<SensitivityCurve>& curves,
                                  const std::string& layer) {
  const auto found = std::find_if(curves.begin(), curves.end(),
                                  [&](const auto& curve) { return curve.layer == layer; });
  return found == curves.end() ? nullptr : &*found;
}

}  // namespace sparsify

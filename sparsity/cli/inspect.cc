#include "sparsity/cli/inspect.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/cli/network.h"
#include "sparsity/graph/layers.h"
#include "sparsity/mask/pattern.h"

namespace sparsify {
namespace {

constexpr int kBinsPerDecade = 4;
constexpr int kDecades = 4;
constexpr int kBins = kBinsPerDecade * kDecades;
constexpr int kBarWidth = 40;

double Percent(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

struct Totals {
  int64_t weights = 0;
  int64_t zeros = 0;
  int64_t macs = 0;
};

CsvTable LayerRows(const Graph& graph, const std::vector<Layer>& layers, Totals& totals) {
  CsvTable table = {
      {"layer", "type", "weight", "output", "parameters", "MACs", "sparsity %", "pattern"}, {}};
  for (const Layer& layer : layers) {
    const Tensor& weight = graph.value(layer.weight).data;
    const int64_t zeros = CountZeros(weight);
    totals.weights += layer.parameters;
    totals.zeros += zeros;
    totals.macs += layer.macs;
    const std::string_view type = layer.is_linear      ? "linear"
                                  : layer.is_depthwise ? "depthwise"
                                  : layer.groups > 1   ? "grouped conv"
                                                       : "conv";
    table.rows.push_back({layer.name, std::string(type), layer.weight_shape.ToString(),
                          layer.output_shape.ToString(), fmt::format("{}", layer.parameters),
                          fmt::format("{}", layer.macs),
                          fmt::format("{:.2f}", Percent(zeros, layer.parameters)),
                          DescribePattern(weight)});
  }
  return table;
}

std::string DescribeMaking(const Checkpoint& model) {
  if (model.history.empty() && model.metrics.empty()) return "";
  std::string text;
  if (!model.masks.empty()) {
    text += fmt::format("\n{} masks; asked for {:.2f} % of the pruned layers, reached {:.2f} %\n",
                        model.masks.size(), model.requested_sparsity * 100,
                        model.achieved_sparsity * 100);
  }
  for (const auto& [name, value] : model.metrics) text += fmt::format("{}: {:.4f}\n", name, value);
  for (const HistoryEntry& entry : model.history) {
    text += fmt::format("{}  sparsify {}: {}\n", entry.time, entry.version, entry.action);
  }
  return text;
}

int64_t CountNonFinite(const std::vector<const Tensor*>& weights) {
  int64_t count = 0;
  for (const Tensor* weight : weights) {
    count += std::count_if(weight->values().begin(), weight->values().end(),
                           [](float w) { return !std::isfinite(w); });
  }
  return count;
}

/// The histogram table with a bar for each share.
std::string DrawHistogram(CsvTable table) {
  double largest = 0;
  for (const auto& row : table.rows) largest = std::max(largest, std::stod(row[3]));
  table.header.emplace_back("");
  for (auto& row : table.rows) {
    const double share = largest > 0 ? std::stod(row[3]) / largest : 0;
    row.emplace_back(static_cast<size_t>(std::lround(share * kBarWidth)), '#');
  }
  return FormatConsoleTable(table);
}

}  // namespace

CsvTable MagnitudeHistogram(const std::vector<const Tensor*>& weights) {
  double largest = 0;
  for (const Tensor* weight : weights) {
    for (const float w : weight->values()) {
      if (std::isfinite(w)) largest = std::max(largest, std::abs(double{w}));
    }
  }
  CsvTable table = {{"|w| from", "to", "weights", "%"}, {}};
  if (largest == 0) return table;
  std::array<int64_t, kBins + 1> counts = {};
  int64_t total = 0;
  for (const Tensor* weight : weights) {
    for (const float w : weight->values()) {
      if (w == 0 || !std::isfinite(w)) continue;
      const double depth = (std::log10(largest) - std::log10(std::abs(double{w}))) * kBinsPerDecade;
      ++counts[static_cast<size_t>(kBins - static_cast<int>(std::clamp<double>(depth, 0, kBins)))];
      ++total;
    }
  }
  for (int bin = 0; bin <= kBins; ++bin) {
    const auto edge = [&](int b) {
      return largest * std::pow(10.0, static_cast<double>(b - kBins) / kBinsPerDecade);
    };
    const int64_t count = counts[static_cast<size_t>(bin)];
    table.rows.push_back({bin == 0 ? "0" : fmt::format("{:.2e}", edge(bin - 1)),
                          fmt::format("{:.2e}", edge(bin)), fmt::format("{}", count),
                          fmt::format("{:.2f}", Percent(count, total))});
  }
  return table;
}

std::string InspectModel(const Checkpoint& model, const std::string& path) {
  const Graph& graph = model.graph;
  if (graph.inputs.empty()) Fail(path, "the network has no input");
  RequireKnownSize(graph, path);
  const auto layers = LayersOf(graph);
  Totals totals;
  const CsvTable rows = LayerRows(graph, layers, totals);
  std::string text = fmt::format("{}: {}, {} nodes\n", path, graph.name, graph.nodes().size());
  for (const Port& port : graph.inputs) {
    text += fmt::format("input  {} {}\n", graph.value(port.value).name, port.shape.ToString());
  }
  for (const Port& port : graph.outputs) {
    text += fmt::format("output {} {}\n", graph.value(port.value).name, port.shape.ToString());
  }
  text += fmt::format("\n{}", FormatConsoleTable(rows));
  text += fmt::format(
      "\n{} layers, {} parameters of which {} are their weights, {} MACs an image\n"
      "{} weights are zero: {:.2f} %\n",
      layers.size(), CountParameters(graph), totals.weights, totals.macs, totals.zeros,
      Percent(totals.zeros, totals.weights));
  std::vector<const Tensor*> weights;
  for (const Layer& layer : layers) weights.push_back(&graph.value(layer.weight).data);
  const int64_t broken = CountNonFinite(weights);
  if (broken > 0) text += fmt::format("{} weights are NaN or infinite: it cannot run\n", broken);
  text += fmt::format("\nmagnitudes of the weights that are not zero\n{}",
                      DrawHistogram(MagnitudeHistogram(weights)));
  return text + DescribeMaking(model);
}

std::string InspectUnits(const Graph& graph, const std::string& path, UnitPattern pattern) {
  if (graph.inputs.empty()) Fail(path, "the network has no input");
  RequireKnownSize(graph, path);
  const auto layers = LayersOf(graph);
  const auto units = FindUnits(graph, layers, pattern);
  return fmt::format("{}: {}, {} layers in {} units ({})\n\n{}", path, graph.name, layers.size(),
                     units.size(), UnitPatternName(pattern), DescribeUnits(graph, layers, units));
}

}  // namespace sparsify

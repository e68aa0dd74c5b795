#include "sparsity/cli/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "sparsity/cli/roofline.h"
#include "sparsity/cli/version.h"

namespace sparsify {
namespace {

std::optional<double> Number(const std::string& cell) {
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc() || end != cell.data() + cell.size()) return std::nullopt;
  return value;
}

Series ColumnSeries(const CsvTable& table, const std::string& x, const std::string& y,
                    const std::string& label) {
  Series series = {label, {}};
  const size_t x_column = table.Column(x);
  const size_t y_column = table.Column(y);
  for (const auto& row : table.rows) {
    const auto x_value = Number(row[x_column]);
    const auto y_value = Number(row[y_column]);
    if (x_value && y_value) series.points.emplace_back(*x_value, *y_value);
  }
  return series;
}

ReportSection AccuracySection(const CsvTable& accuracy) {
  ReportSection section;
  section.heading = "Accuracy";
  if (accuracy.rows.empty()) {
    section.text = "Not measured: the configuration names no data.evaluation.";
    return section;
  }
  section.text =
      "Top-1 and top-5 of the labelled images, and the share of images on which the sparse network "
      "gives the dense network's answer.";
  Plot plot;
  plot.title = "Accuracy against sparsity";
  plot.x_label = "sparsity of the pruned layers, %";
  plot.y_label = "images, %";
  plot.series = {ColumnSeries(accuracy, "achieved_sparsity", "top1", "top-1"),
                 ColumnSeries(accuracy, "achieved_sparsity", "top5", "top-5"),
                 ColumnSeries(accuracy, "achieved_sparsity", "agreement", "agreement with dense")};
  section.plots.push_back(std::move(plot));
  section.tables.emplace_back("accuracy.csv", accuracy);
  return section;
}

/// The rows of each batch, thread and stream count, named.
std::vector<std::pair<std::string, CsvTable>> SpeedupGroups(const CsvTable& speedup) {
  std::vector<std::pair<std::string, CsvTable>> groups;
  for (const auto& row : speedup.rows) {
    const std::string& streams = row[speedup.Column("streams")];
    const std::string label = fmt::format(
        "batch {}, {} threads, {}{}", row[speedup.Column("batch")], row[speedup.Column("threads")],
        row[speedup.Column("precision")], streams == "1" ? "" : ", " + streams + " streams");
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const auto& other) { return other.first == label; });
    if (group == groups.end()) group = groups.insert(group, {label, {speedup.header, {}}});
    group->second.rows.push_back(row);
  }
  return groups;
}

Plot SpeedupPlot(const CsvTable& speedup) {
  Plot plot;
  plot.title = "Speed-up against sparsity";
  plot.x_label = "sparsity, %";
  plot.y_label = "speed-up over dense";
  for (const auto& [label, rows] : SpeedupGroups(speedup)) {
    plot.series.push_back(ColumnSeries(rows, "sparsity", "speedup", label));
  }
  return plot;
}

Plot LatencyPlot(const CsvTable& speedup) {
  Plot plot;
  plot.title = "Latency against sparsity";
  plot.x_label = "sparsity, %";
  plot.y_label = "median time, ms";
  for (const auto& [label, rows] : SpeedupGroups(speedup)) {
    plot.series.push_back(ColumnSeries(rows, "sparsity", "time_ms", "sparse, " + label));
    plot.series.push_back(ColumnSeries(rows, "sparsity", "dense_time_ms", "dense, " + label));
  }
  return plot;
}

ReportSection SpeedSection(const CsvTable& speedup, const CsvTable& layers) {
  ReportSection section;
  section.heading = "Speed";
  if (speedup.rows.empty()) {
    section.text = "Not measured: the configuration has no benchmark section.";
    return section;
  }
  section.text =
      "Median time of the sparse plan against the dense plan of the same network, timed in turns "
      "in one process, outputs checked first. Above 1 the sparse network is faster. memory_size_MB "
      "is the constants as executed (weights with their indices, biases), blob_MB the peak of the "
      "activations, bandwidth_MB what one inference moves between memory and core. speedup.csv "
      "has further columns, the layers that stayed dense among them. Where several streams run at "
      "once the time is that of a run of all, the memory that of all.\n\n"
      "A roofline has a dot for each layer, of the kernel chosen for it: multiplications and "
      "additions executed a second (zeros skipped by a sparse kernel do not count) over those "
      "executed for each byte of constants, inputs and outputs. The ceilings are measured: "
      "multiply-adds on registers, and reading from beyond the last cache of a core. Winograd's "
      "algorithm is counted as the direct one and may lie above the first, a layer whose data "
      "stay in the cache above the second.";
  section.plots = {SpeedupPlot(speedup), LatencyPlot(speedup)};
  for (Plot& plot : RooflinePlots(layers, speedup)) section.plots.push_back(std::move(plot));
  section.tables.emplace_back("speedup.csv", SpeedupSummary(speedup));
  return section;
}

ReportSection LayerSection(const CsvTable& layers, const std::vector<LevelRecord>& records) {
  ReportSection section;
  section.heading = "Layers";
  Plot plot;
  plot.title = "Sparsity of each layer";
  plot.y_label = "sparsity, %";
  plot.bars = true;
  for (const LevelRecord& record : records) {
    if (record.layers.empty() || record.sparsity == 0) continue;
    const std::string level = fmt::format("{}", record.sparsity);
    const CsvTable rows = RowsWhere(layers, "sparsity", level);
    Series series = {level + " %", {}};
    plot.categories.clear();
    for (const auto& row : rows.rows) {
      plot.categories.push_back(row[layers.Column("layer")]);
      series.points.emplace_back(static_cast<double>(series.points.size()),
                                 Number(row[layers.Column("achieved")]).value_or(0));
    }
    plot.series.push_back(std::move(series));
    section.tables.emplace_back(fmt::format("layers.csv at {} %", level), rows);
  }
  section.plots.push_back(std::move(plot));
  return section;
}

ReportSection RepairSection(const CsvTable& repair) {
  ReportSection section;
  section.heading = "Repair";
  section.text =
      "For each repaired unit the mean squared difference of its outputs from the dense network's, "
      "relative to their variance, with the dense weights masked and with the new ones.";
  Plot plot;
  plot.title = "Error of each unit after repair";
  plot.y_label = "share of the variance";
  plot.bars = true;
  std::vector<std::string> levels;
  for (const auto& row : repair.rows) {
    if (row[repair.Column("unit")] == "polish") continue;  // its loss is of another kind
    const std::string& level = row[repair.Column("sparsity")];
    if (levels.empty() || levels.back() != level) {
      levels.push_back(level);
      plot.series.push_back({level + " %", {}});
      plot.categories.clear();
    }
    auto& points = plot.series.back().points;
    plot.categories.push_back(row[repair.Column("unit")]);
    points.emplace_back(static_cast<double>(points.size()),
                        Number(row[repair.Column("error_after")]).value_or(0));
  }
  section.plots.push_back(std::move(plot));
  section.tables.emplace_back("repair.csv", repair);
  return section;
}

/// Each sparsity's rows as a curve of `column` over the steps.
Plot TrainingPlot(const CsvTable& training, const std::string& column, const std::string& title,
                  const std::string& y_label) {
  Plot plot;
  plot.title = title;
  plot.x_label = "step";
  plot.y_label = y_label;
  std::vector<std::string> levels;
  for (const auto& row : training.rows) {
    const std::string& level = row[training.Column("sparsity")];
    if (levels.empty() || levels.back() != level) levels.push_back(level);
  }
  for (const std::string& level : levels) {
    plot.series.push_back(ColumnSeries(RowsWhere(training, "sparsity", level), "step", column,
                                       level == "0" ? "dense" : level + " %"));
  }
  return plot;
}

ReportSection TrainingSection(const CsvTable& training) {
  ReportSection section;
  section.heading = "Training";
  section.text =
      "Means over the steps between two rows of training.csv, on the images as they were learned "
      "from (augmented).";
  section.plots = {TrainingPlot(training, "loss", "Loss in training", "loss"),
                   TrainingPlot(training, "top1", "Accuracy in training", "top-1, %")};
  CsvTable last = {training.header, {}};
  for (const auto& row : training.rows) {
    if (!last.rows.empty() && last.rows.back()[0] == row[0]) last.rows.pop_back();
    last.rows.push_back(row);
  }
  section.tables.emplace_back("the last row of each sparsity", std::move(last));
  return section;
}

/// Curves of consecutive layers, a few a picture: losses of all would hide each other.
std::vector<Plot> SensitivityPlots(const std::vector<SensitivityCurve>& curves) {
  constexpr size_t kCurvesInPlot = 7;
  std::vector<Plot> plots;
  for (size_t i = 0; i < curves.size(); ++i) {
    if (i % kCurvesInPlot == 0) {
      const size_t last = std::min(i + kCurvesInPlot, curves.size());
      Plot& plot = plots.emplace_back();
      plot.title = fmt::format("Loss with one layer pruned, layers {} to {}", i + 1, last);
      plot.x_label = "sparsity of the layer, %";
      plot.y_label = "loss";
    }
    Series series = {curves[i].layer, {{0, 0}}};
    for (size_t p = 0; p < curves[i].sparsity.size(); ++p) {
      if (curves[i].sparsity[p] <= 0) continue;
      series.points.emplace_back(100 * curves[i].sparsity[p], curves[i].loss[p]);
    }
    plots.back().series.push_back(std::move(series));
  }
  return plots;
}

/// A row a layer, a column a sparsity in whole percent; cells of sparsities that a layer was not
/// tried at are empty.
CsvTable SensitivityTable(const std::vector<SensitivityCurve>& curves) {
  const auto name = [](double sparsity) { return fmt::format("{:.0f} %", 100 * sparsity); };
  std::map<std::string, double> columns;
  for (const SensitivityCurve& curve : curves) {
    for (const double sparsity : curve.sparsity) columns.emplace(name(sparsity), sparsity);
  }
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [text, sparsity] : columns) order.emplace_back(sparsity, text);
  std::sort(order.begin(), order.end());
  CsvTable table = {{"layer", "parameters", "macs"}, {}};
  for (const auto& [sparsity, text] : order) table.header.push_back(text);
  for (const SensitivityCurve& curve : curves) {
    std::vector<std::string> row(table.header.size());
    row[0] = curve.layer;
    row[1] = fmt::format("{}", curve.parameters);
    row[2] = fmt::format("{}", curve.macs);
    for (size_t p = 0; p < curve.sparsity.size(); ++p) {
      row[table.Column(name(curve.sparsity[p]))] = fmt::format("{:.4g}", curve.loss[p]);
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

ReportSection SensitivitySection(const std::vector<SensitivityCurve>& curves) {
  ReportSection section;
  section.heading = "Sensitivity";
  section.text =
      "Loss of the network's output with one layer pruned and the others dense. The sparsity of "
      "each layer is chosen so that the sum of these losses is least.";
  section.plots = SensitivityPlots(curves);
  section.tables.emplace_back("loss by sparsity (sensitivity.csv has every point)",
                              SensitivityTable(curves));
  return section;
}

ReportSection TargetSection(const CsvTable& targets) {
  ReportSection section;
  section.heading = "Targets";
  section.text =
      "The network's sparsity that each speed-up or time asked for came to, and its time as "
      "predicted from the layers' times and as measured, the dense weights masked: least times, "
      "beside the dense plan's.";
  section.tables.emplace_back("targets.csv", targets);
  return section;
}

}  // namespace

Report MakeRunReport(const std::string& network, const std::vector<LevelRecord>& records,
                     const std::string& configuration, const std::vector<SensitivityCurve>& curves,
                     const CsvTable& targets) {
  Report report;
  report.title = fmt::format("{}: sparsity, accuracy and speed", network);
  report.subtitle = fmt::format("sparsify {}", Version());
  const CsvTable layers = LayerTable(records);
  const CsvTable speedup = SpeedupTable(records);
  report.sections = {AccuracySection(AccuracyTable(records)), SpeedSection(speedup, layers),
                     LayerSection(layers, records)};
  if (!targets.rows.empty()) report.sections.push_back(TargetSection(targets));
  if (!curves.empty()) report.sections.push_back(SensitivitySection(curves));
  const CsvTable repair = RepairTable(records);
  if (!repair.rows.empty()) report.sections.push_back(RepairSection(repair));
  const CsvTable training = TrainingTable(records);
  if (!training.rows.empty()) report.sections.push_back(TrainingSection(training));
  report.sections.push_back({"Time",
                             "Where the time of each level went, and the most memory the program "
                             "had taken by its end.",
                             {},
                             {{"times.csv", TimesTable(records)}},
                             ""});
  CsvTable machine = MachineTable();
  for (auto& row : PeakRows(speedup)) machine.rows.push_back(std::move(row));
  report.sections.push_back({"Machine", "", {}, {{"where this ran", std::move(machine)}}, ""});
  report.sections.push_back(
      {"Configuration", "Every key, defaults included.", {}, {}, configuration});
  return report;
}

}  // namespace sparsify

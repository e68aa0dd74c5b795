#include "sparsity/allocation/layer_times.h"

#include <algorithm>
#include <set>

#include "sparsity/allocation/csv_rows.h"
#include "sparsity/base/error.h"
#include "sparsity/base/file.h"

namespace sparsify {
namespace {

constexpr std::string_view kRest = "(rest)";

// Ten digits: 0.57 is 57, and reading and writing again changes nothing.
std::string Percent(double fraction) { return fmt::format("{:.10g}", fraction * 100); }

struct Row {
  double level = 0;
  LayerTime time;
  TimingSetting setting;
};

Row ParseRow(const CsvRows& rows, const std::vector<std::string>& cells) {
  constexpr double kMost = 1e15;
  const auto number = [&](size_t i, std::string_view column, double min, double max) {
    return NumberCell(rows, cells[i], column, min, max);
  };
  Row row;
  row.level = number(0, "level", 0, 100) / 100;
  row.time.layer = cells[1];
  row.time.parameters = static_cast<int64_t>(number(2, "parameters", 0, kMost));
  row.time.macs = static_cast<int64_t>(number(3, "macs", 0, kMost));
  row.time.sparsity = number(4, "sparsity", 0, 100) / 100;
  row.time.ms = number(5, "time_ms", 0, kMost);
  row.time.kernel = cells[6];
  row.setting.batch = static_cast<int64_t>(number(7, "batch", 1, kMost));
  row.setting.threads = static_cast<int>(number(8, "threads", 1, 1e6));
  row.setting.isa = cells[9];
  row.setting.processor = cells[10];
  row.setting.winograd = number(11, "winograd", 0, 1) != 0;
  return row;
}

void AddRow(const CsvRows& rows, Row row, LayerTimes& times) {
  if (times.levels.empty()) times.setting = row.setting;
  if (row.setting != times.setting) {
    FailUsage(rows.Where(),
              "batch, threads, isa, processor or winograd differ from the first row's");
  }
  if (times.levels.empty() || row.level != times.levels.back().level) {
    if (times.levels.empty() ? row.level != 0 : row.level < times.levels.back().level) {
      FailUsage(rows.Where(), "level {}; the levels must increase from 0", Percent(row.level));
    }
    times.levels.push_back({row.level, 0, {}});
  }
  if (row.time.layer == kRest) {
    times.levels.back().rest_ms = row.time.ms;
  } else {
    times.levels.back().layers.push_back(std::move(row.time));
  }
}

bool IsSameLayer(const LayerTime& a, const LayerTime& b) {
  return a.layer == b.layer && a.parameters == b.parameters && a.macs == b.macs;
}

void CheckLevels(const LayerTimes& times, const std::string& path) {
  if (times.levels.empty()) FailUsage(path, "holds no times");
  const std::vector<LayerTime>& first = times.levels.front().layers;
  std::set<std::string> names;
  for (const LayerTime& layer : first) {
    if (!names.insert(layer.layer).second) {
      FailUsage(path, "layer \"{}\" is there twice at level 0", layer.layer);
    }
  }
  for (const NetworkTimes& level : times.levels) {
    if (std::equal(level.layers.begin(), level.layers.end(), first.begin(), first.end(),
                   IsSameLayer)) {
      continue;
    }
    FailUsage(path, "level {} has other layers than level 0", Percent(level.level));
  }
}

/// Mean of times[begin, end).
struct Pool {
  double sum = 0;
  int count = 0;
  double Mean() const { return sum / count; }
};

std::vector<double> NotRising(const std::vector<double>& values) {
  std::vector<Pool> pools;
  for (const double value : values) {
    pools.push_back({value, 1});
    while (pools.size() > 1 && pools.back().Mean() > pools[pools.size() - 2].Mean()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back().sum += last.sum;
      pools.back().count += last.count;
    }
  }
  std::vector<double> result;
  for (const Pool& pool : pools) {
    result.insert(result.end(), static_cast<size_t>(pool.count), pool.Mean());
  }
  return result;
}

}  // namespace

double NetworkTimes::Total() const {
  double total = rest_ms;
  for (const LayerTime& layer : layers) total += layer.ms;
  return total;
}

double LayerTimeCurve::At(double s) const {
  size_t i = 1;
  while (i < sparsity.size() && sparsity[i] < s) ++i;
  if (i >= sparsity.size()) return ms.back();
  const double share = (s - sparsity[i - 1]) / (sparsity[i] - sparsity[i - 1]);
  return ms[i - 1] + (ms[i] - ms[i - 1]) * share;
}

void WriteLayerTimes(const LayerTimes& times, const std::string& path) {
  std::string text =
      "level,layer,parameters,macs,sparsity,time_ms,kernel,batch,threads,isa,processor,"
      "winograd\n";
  const TimingSetting& setting = times.setting;
  const std::string tail =
      fmt::format("{},{},{},{},{}\n", setting.batch, setting.threads, setting.isa,
                  QuoteCell(setting.processor), setting.winograd ? 1 : 0);
  for (const NetworkTimes& level : times.levels) {
    const std::string at = Percent(level.level);
    text += fmt::format("{},{},0,0,0,{},,{}", at, kRest, level.rest_ms, tail);
    for (const LayerTime& layer : level.layers) {
      text +=
          fmt::format("{},{},{},{},{},{},{},{}", at, QuoteCell(layer.layer), layer.parameters,
                      layer.macs, Percent(layer.sparsity), layer.ms, QuoteCell(layer.kernel), tail);
    }
  }
  WriteFileAtomically(path, text);
}

LayerTimes ReadLayerTimes(const std::string& path) {
  CsvRows rows(path, "the layers' times",
               {"level", "layer", "parameters", "macs", "sparsity", "time_ms", "kernel", "batch",
                "threads", "isa", "processor", "winograd"});
  LayerTimes times;
  while (const auto row = rows.Next()) AddRow(rows, ParseRow(rows, *row), times);
  CheckLevels(times, path);
  return times;
}

std::string TimesMismatch(const LayerTimes& times, const std::vector<Layer>& layers,
                          const std::vector<std::string>& skipped, const TimingSetting& setting) {
  const TimingSetting& was = times.setting;
  if (was.batch != setting.batch || was.threads != setting.threads) {
    return fmt::format("measured with batch {} and {} threads, this run has {} and {}", was.batch,
                       was.threads, setting.batch, setting.threads);
  }
  if (was.isa != setting.isa || was.processor != setting.processor) {
    return fmt::format("measured on {} ({}), this is {} ({})", was.processor, was.isa,
                       setting.processor, setting.isa);
  }
  if (was.winograd != setting.winograd) {
    return fmt::format("measured with benchmark.winograd: {}, this run has {}",
                       was.winograd ? "True" : "False", setting.winograd ? "True" : "False");
  }
  const std::vector<LayerTime>& timed = times.levels.at(0).layers;
  size_t at = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (!skipped[i].empty()) continue;
    const bool same =
        at < timed.size() &&
        IsSameLayer(timed[at], {layers[i].name, layers[i].parameters, layers[i].macs, 0, 0, ""});
    if (!same) return fmt::format("layer \"{}\" is missing, or another", layers[i].name);
    ++at;
  }
  return at == timed.size() ? "" : fmt::format("layer \"{}\" is not pruned here", timed[at].layer);
}

LayerTimeCurve CurveOf(const LayerTimes& times, size_t index) {
  LayerTimeCurve curve;
  for (const NetworkTimes& level : times.levels) {
    const LayerTime& time = level.layers.at(index);
    const double sparsity = level.level == 0 ? 0 : time.sparsity;
    if (!curve.sparsity.empty() && sparsity <= curve.sparsity.back()) continue;
    curve.sparsity.push_back(sparsity);
    curve.ms.push_back(time.ms);
  }
  curve.ms = NotRising(curve.ms);
  return curve;
}

}  // namespace sparsify

#include "sparsity/cli/level_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "sparsity/base/options_print.h"
#include "sparsity/base/options_yaml.h"
#include "sparsity/io/checkpoint_seal.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;

using Cells = std::vector<std::string>;

/// One more whenever the columns of a table change: cells are kept without their names.
constexpr int64_t kFormat = 2;

// Why the file at `path` is not the checkpoint that the record speaks of, or empty.
std::string CheckpointObstacle(const LevelRecord& record, const std::string& path) {
  if (!fs::exists(path)) return path + ": missing";
  const auto bytes = static_cast<int64_t>(FileSize(path));
  if (bytes != record.checkpoint_bytes) {
    return fmt::format("{}: has {} bytes, was written with {}", path, bytes,
                       record.checkpoint_bytes);
  }
  try {
    VerifySeal(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void AppendRows(const Cells& cells, CsvTable& table) {
  const size_t columns = table.header.size();
  for (size_t i = 0; i + columns <= cells.size(); i += columns) {
    const auto first = cells.begin() + static_cast<std::ptrdiff_t>(i);
    table.rows.emplace_back(first, first + static_cast<std::ptrdiff_t>(columns));
  }
}

CsvTable Collect(const std::vector<LevelRecord>& records, const Cells& header,
                 const Cells LevelRecord::*cells) {
  CsvTable table = {header, {}};
  for (const LevelRecord& record : records) AppendRows(record.*cells, table);
  return table;
}

void CheckCells(const Cells& cells, const Cells& columns, const std::string& path,
                std::string_view key) {
  if (cells.size() % columns.size() == 0) return;
  Fail(path, "{}: {} cells, expected rows of {}; remove the file to redo this level", key,
       cells.size(), columns.size());
}

}  // namespace

void LevelRecord::VisitFields(OptionVisitor& v) {
  v.Field("format", format, {.min = 0}, "version of the columns");
  v.Field("sparsity", sparsity, {.min = 0, .max = 100, .max_open = true}, "percent, 0: dense");
  v.Field("checkpoint_bytes", checkpoint_bytes, {.min = 0}, "size of the checkpoint");
  v.Field("accuracy", accuracy, "cells of accuracy.csv");
  v.Field("layers", layers, "cells of layers.csv");
  v.Field("speedup", speedup, "cells of speedup.csv");
  v.Field("repair", repair, "cells of repair.csv");
  v.Field("training", training, "cells of training.csv");
  v.Field("times", times, "cells of times.csv");
}

void WriteRecord(const LevelRecord& record, const std::string& path) {
  LevelRecord copy = record;
  copy.format = kFormat;
  WriteFileAtomically(path, ResolvedYaml(Fields(copy)));
}

std::optional<LevelRecord> ReadRecord(const std::string& path, const std::string& checkpoint_path) {
  if (!fs::exists(path)) return std::nullopt;
  LevelRecord record;
  OptionsDocument::FromFile(path).Read(record);
  if (record.format != kFormat) {
    Fail(path,
         "written by another version, its tables have other columns; remove the file to redo "
         "this level");
  }
  CheckCells(record.accuracy, AccuracyColumns(), path, "accuracy");
  CheckCells(record.layers, LayerColumns(), path, "layers");
  CheckCells(record.speedup, SpeedupColumns(), path, "speedup");
  CheckCells(record.repair, RepairColumns(), path, "repair");
  CheckCells(record.training, TrainingColumns(), path, "training");
  CheckCells(record.times, TimesColumns(), path, "times");
  if (record.checkpoint_bytes == 0) return record;
  const std::string obstacle = CheckpointObstacle(record, checkpoint_path);
  if (obstacle.empty()) return record;
  Warn("{}; this level is done again", obstacle);
  return std::nullopt;
}

const Cells& AccuracyColumns() {
  static const Cells columns = {"network", "method", "sparsity",  "achieved_sparsity",
                                "top1",    "top5",   "agreement", "loss",
                                "images",  "seconds"};
  return columns;
}

const Cells& LayerColumns() {
  static const Cells columns = {"sparsity",   "layer",         "shape",        "macs",
                                "parameters", "requested",     "achieved",     "skipped",
                                "kernel",     "dense_time_ms", "time_ms",      "stayed_dense",
                                "speedup",    "gflops",        "peak_percent", "flop_per_byte"};
  return columns;
}

const Cells& SpeedupColumns() {
  static const Cells columns = {"network",
                                "batch",
                                "threads",
                                "precision",
                                "isa",
                                "sparsity",
                                "DAGs",
                                "time_ms",
                                "speedup",
                                "memory_size_MB",
                                "blob_MB",
                                "bandwidth_MB",
                                "dense_time_ms",
                                "time_min_ms",
                                "dense_time_min_ms",
                                "speedup_min",
                                "max_error",
                                "steal_percent",
                                "direct_time_ms",
                                "speedup_direct",
                                "dense_layers",
                                "peak_gflops",
                                "peak_GB_per_s",
                                "streams",
                                "images_per_second",
                                "dense_images_per_second"};
  return columns;
}

const Cells& RepairColumns() {
  static const Cells columns = {"sparsity", "unit",    "error_before", "error_after", "steps",
                                "samples",  "seconds", "remark",       "unrepaired"};
  return columns;
}

const Cells& TrainingColumns() {
  static const Cells columns = {"sparsity", "step",          "epoch",         "loss",
                                "top1",     "learning_rate", "mask_sparsity", "images_per_second"};
  return columns;
}

const Cells& TimesColumns() {
  static const Cells columns = {"sparsity", "phase", "seconds", "peak_memory_MB"};
  return columns;
}

CsvTable SpeedupSummary(const CsvTable& speedup) {
  Cells columns = {"sparsity", "batch",          "threads", "precision",
                   "isa",      "DAGs",           "time_ms", "dense_time_ms",
                   "speedup",  "memory_size_MB", "blob_MB", "bandwidth_MB"};
  const size_t streams = speedup.Column("streams");
  if (std::any_of(speedup.rows.begin(), speedup.rows.end(),
                  [&](const Cells& row) { return row[streams] != "1"; })) {
    columns.insert(columns.begin() + 3, "streams");
    columns.insert(columns.end(), {"images_per_second", "dense_images_per_second"});
  }
  return SelectColumns(speedup, columns);
}

CsvTable AccuracyTable(const std::vector<LevelRecord>& records) {
  return Collect(records, AccuracyColumns(), &LevelRecord::accuracy);
}
CsvTable LayerTable(const std::vector<LevelRecord>& records) {
  return Collect(records, LayerColumns(), &LevelRecord::layers);
}
CsvTable SpeedupTable(const std::vector<LevelRecord>& records) {
  return Collect(records, SpeedupColumns(), &LevelRecord::speedup);
}

CsvTable RepairTable(const std::vector<LevelRecord>& records) {
  return Collect(records, RepairColumns(), &LevelRecord::repair);
}
CsvTable TrainingTable(const std::vector<LevelRecord>& records) {
  return Collect(records, TrainingColumns(), &LevelRecord::training);
}
CsvTable TimesTable(const std::vector<LevelRecord>& records) {
  return Collect(records, TimesColumns(), &LevelRecord::times);
}

}  // namespace sparsify

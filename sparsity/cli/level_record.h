// The record of one finished level: everything that the tables and the report need, so
// that a resumed run does not have to do it again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/base/options.h"
#include "sparsity/report/csv.h"

namespace sparsify {

struct LevelRecord {
  int64_t format = 0;                 // of the cells; WriteRecord sets it
  double sparsity = 0;                // percent as requested; 0: the dense network
  int64_t checkpoint_bytes = 0;       // 0: no checkpoint
  std::vector<std::string> accuracy;  // cells of rows of accuracy.csv, and so on
  std::vector<std::string> layers;
  std::vector<std::string> speedup;
  std::vector<std::string> repair;
  std::vector<std::string> training;
  std::vector<std::string> times;

  void VisitFields(OptionVisitor& v);
};

void WriteRecord(const LevelRecord& record, const std::string& path);

/// The record, or nothing when the level has to be done (again): there is no record, or its
/// checkpoint is missing, has another size or a broken seal (said with a warning). A damaged record
/// and one with the columns of another version throw.
std::optional<LevelRecord> ReadRecord(const std::string& path, const std::string& checkpoint_path);

/// Headers of the tables.
const std::vector<std::string>& AccuracyColumns();
const std::vector<std::string>& LayerColumns();
const std::vector<std::string>& SpeedupColumns();
const std::vector<std::string>& RepairColumns();
const std::vector<std::string>& TrainingColumns();
const std::vector<std::string>& TimesColumns();

/// All records' rows as one table each.
CsvTable AccuracyTable(const std::vector<LevelRecord>& records);
CsvTable LayerTable(const std::vector<LevelRecord>& records);
CsvTable SpeedupTable(const std::vector<LevelRecord>& records);
CsvTable RepairTable(const std::vector<LevelRecord>& records);
CsvTable TrainingTable(const std::vector<LevelRecord>& records);
CsvTable TimesTable(const std::vector<LevelRecord>& records);
/// The columns of the speed-up table that fit a terminal or a page; those of throughput where a
/// row has several streams.
CsvTable SpeedupSummary(const CsvTable& speedup);

}  // namespace sparsify

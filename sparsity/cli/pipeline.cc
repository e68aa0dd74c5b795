#include "sparsity/cli/pipeline.h"

#include <cstdio>

#include "schedulers/make_scheduler.h"
#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"
#include "sparsity/cli/level_record.h"
#include "sparsity/cli/measure_level.h"
#include "sparsity/cli/prepare.h"
#include "sparsity/cli/prune_level.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/cli/run_report.h"
#include "sparsity/io/model_file.h"
#include "sparsity/mask/make_mask_generator.h"

namespace sparsify {
namespace {

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

/// The run itself, level after level.
class Runner {
 public:
  Runner(const PreparedRun& run, const RunFiles& files) : run_(run), files_(files) {}

  void Run() {
    const auto generator = MakeMaskGenerator(run_.config.sparsity.mask_generator);
    RunDense();
    for (size_t i = 0; i < run_.levels.size(); ++i) {
      ThrowIfInterrupted();
      RunLevel(i, generator);
    }
    WriteHtml(MakeRunReport(run_.network, records_, ResolvedConfig(run_.config)),
              files_.Report());
    PrintResults();
  }

 private:
  /// Takes over the record of a finished level.
  bool Restore(double percent) {
    auto record = ReadRecord(files_.Record(percent), files_.Checkpoint(percent));
    if (!record) return false;
    Note("{}: done before", percent == 0 ? "dense" : FormatPercent(percent) + " %");
    Finish(std::move(*record));
    return true;
  }

  /// Tables on disk always hold every finished level.
  void Finish(LevelRecord record) {
    records_.push_back(std::move(record));
    if (run_.evaluation) WriteCsv(AccuracyTable(records_), files_.Accuracy());
    if (run_.config.benchmark) WriteCsv(SpeedupTable(records_), files_.Speedup());
    WriteCsv(LayerTable(records_), files_.Layers());
  }

  void RunDense() {
    if (Restore(0)) {
      if (run_.evaluation) dense_ = ReadDenseEvaluation();
      return;
    }
    LevelRecord record;
    const Graph& graph = run_.model.graph;
    if (run_.evaluation) {
      dense_ = EvaluateNetwork(run_, graph, "evaluate dense", nullptr);
      Note("dense: top-1 {:.2f} %, top-5 {:.2f} % of {} images in {}", dense_.top1, dense_.top5,
           dense_.images, FormatSeconds(dense_.seconds));
      record.accuracy = AccuracyRow(run_, 0, 0, dense_);
      WritePredictions();
    }
    std::vector<LayerSparsity> layers;
    for (size_t i = 0; i < run_.layers.size(); ++i) {
      layers.push_back({run_.layers[i].name, 0, 0, run_.skipped[i]});
    }
    const auto speed = MeasureNetwork(run_, graph, 0);
    record.speedup = SpeedupCells(run_, speed);
    record.layers = LayerCells(run_, 0, layers, speed);
    WriteRecord(record, files_.Record(0));
    Finish(std::move(record));
  }

  void RunLevel(size_t index, const std::shared_ptr<const MaskGenerator>& generator) {
    const double percent = run_.levels[index];
    if (Restore(percent)) return;
    Checkpoint checkpoint = PruneLevel(run_, index, generator);
    WarnOfMissedTarget(checkpoint);
    LevelRecord record;
    record.sparsity = percent;
    if (run_.evaluation) record.accuracy = EvaluateLevel(percent, checkpoint);
    const auto speed = MeasureNetwork(run_, checkpoint.graph, percent);
    for (const SpeedRow& row : speed) {
      Note("{} %: batch {}, {} threads: {:.3f} ms, dense {:.3f} ms, speed-up {:.2f}",
           FormatPercent(percent), row.batch, row.threads, row.sparse.median_ms,
           row.dense.median_ms, row.speedup);
    }
    record.speedup = SpeedupCells(run_, speed);
    record.layers = LayerCells(run_, percent, checkpoint.layers, speed);
    const std::string path = files_.Checkpoint(percent);
    SaveModelFile(checkpoint, path);
    record.checkpoint_bytes = FileSize(path);
    WriteRecord(record, files_.Record(percent));
    Finish(std::move(record));
  }

  std::vector<std::string> EvaluateLevel(double percent, Checkpoint& checkpoint) {
    const std::string title = fmt::format("evaluate {} %", FormatPercent(percent));
    const Evaluation result = EvaluateNetwork(run_, checkpoint.graph, title, &dense_.predictions);
    Note("{} %: top-1 {:.2f} %, top-5 {:.2f} %, agreement {:.2f} %", FormatPercent(percent),
         result.top1, result.top5, result.agreement);
    WarnOfCollapse(percent, dense_, result, run_.classes);
    checkpoint.metrics = {{"top1", result.top1},
                          {"top5", result.top5},
                          {"agreement", result.agreement},
                          {"loss", result.loss}};
    return AccuracyRow(run_, percent, checkpoint.achieved_sparsity, result);
  }

  void WritePredictions() const {
    CsvTable table = {{"image", "class"}, {}};
    for (size_t i = 0; i < dense_.predictions.size(); ++i) {
      table.rows.push_back({run_.evaluation->NameOf(static_cast<int64_t>(i)),
                            fmt::format("{}", dense_.predictions[i])});
    }
    WriteCsv(table, files_.Predictions());
  }

  /// Of the dense network, from its files: the accuracies and the predictions.
  Evaluation ReadDenseEvaluation() const;

  void PrintResults() const {
    if (run_.evaluation) Print("\n" + FormatConsoleTable(AccuracyTable(records_)));
    if (run_.config.benchmark) Print("\n" + FormatConsoleTable(ShortSpeedupTable()));
    Print(fmt::format("\n{}: accuracy.csv, speedup.csv, layers.csv, {} checkpoints, report.html\n",
                      files_.folder(), run_.levels.size()));
  }

  /// Without the columns that are the same in every row or too wide for a terminal.
  CsvTable ShortSpeedupTable() const;

  const PreparedRun& run_;
  const RunFiles& files_;
  std::vector<LevelRecord> records_;
  Evaluation dense_;
};

}  // namespace
}  // namespace sparsify

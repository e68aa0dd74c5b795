// What the Runner does where several ranks share a run.
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/cli/measure_level.h"
#include "sparsity/cli/partial_level.h"
#include "sparsity/cli/permute_network.h"
#include "sparsity/cli/run_report.h"
#include "sparsity/cli/runner.h"
#include "sparsity/cli/train_level.h"
#include "sparsity/io/checkpoint.h"

namespace sparsify {
namespace {

/// What a level has come to, whichever rank has made it.
void NoteAccuracy(const LevelRecord& record) {
  if (record.accuracy.empty()) return;
  const CsvTable table = AccuracyTable({record});
  const auto cell = [&](const char* name) { return table.rows.front()[table.Column(name)]; };
  Note("{} %: top-1 {} %, top-5 {} %, agreement {} %", cell("sparsity"), cell("top1"), cell("top5"),
       cell("agreement"));
}

}  // namespace

// --- training: every rank computes its part of every batch ---------------------------------------

/// Rank 0's word, for which the others wait asleep.
bool Runner::Tell(bool done) {
  if (sharing_ != Sharing::kBatches) return done;
  run_.ranks->Meet();
  return run_.ranks->FirstDecides(done);
}

void Runner::TellTargets() {
  if (sharing_ != Sharing::kBatches) return;
  run_.ranks->Meet();
  ShareTargets(*run_.ranks, run_.targets);
}

/// Beside rank 0, which does all but the training alone.
void Runner::TrainBeside() {
  const bool has_dense = Tell(false);
  if (run_.TrainsDense()) {
    if (has_dense) {
      AwaitFile(files_.Checkpoint(0));
      run_.model = LoadCheckpoint(files_.Checkpoint(0));
    } else {
      TrainDense(run_, files_, {}, setup_);
    }
  }
  Tell(false);
  PermuteNetwork(run_, files_);
  TellTargets();
  for (size_t i = 0; i < run_.levels.size(); ++i) {
    if (Tell(false)) continue;
    if (run_.LearnsSparsities()) TellTargets();
    TrainLevel(run_, i, files_, generator_, {}, setup_);
  }
}

// --- post training: every rank makes some of the levels ------------------------------------------

void Runner::RunShare() {
  Communicator& ranks = *run_.ranks;
  PermuteNetwork(run_, files_);
  ranks.FirstAlone([&] { BeginShare(); });
  ShareDense(ranks, dense_);
  ShareTargets(ranks, run_.targets);
  std::string open;
  for (const double percent : run_.levels) open += IsOpen(percent) ? '1' : '0';
  open = ranks.FromFirst(open);
  int64_t turn = 0;
  for (size_t i = 0; i < run_.levels.size(); ++i) {
    if (open[i] == '1' && turn++ % ranks.Size() == ranks.Rank()) MakeUnmeasured(i);
  }
  ranks.FirstAlone([&] {  // times taken beside other work would be false
    MeasureShare(0);
    for (const double percent : run_.levels) MeasureShare(percent);
    WriteHtml(MakeRunReport(run_.network, records_, ResolvedConfig(run_.config), curves_),
              files_.Report());
  });
}

/// The dense network's accuracy, and what the allocation measures.
void Runner::BeginShare() {
  auto record = ReadRecord(files_.Record(0), files_.Checkpoint(0));
  if (!record) record = ReadRecord(files_.Unmeasured(0), files_.Checkpoint(0));
  if (!record) {
    record.emplace();
    PhaseClock clock;
    if (run_.evaluation) record->accuracy = clock.Time("evaluate", [&] { return EvaluateDense(); });
    record->times = TimesCells(0, clock);
    WriteRecord(*record, files_.Unmeasured(0));
  } else if (run_.evaluation) {
    dense_ = ReadDenseResult(files_.Predictions(), AccuracyTable({*record}), *run_.evaluation);
  }
  SettleTargets();
}

bool Runner::IsOpen(double percent) const {
  const std::string checkpoint = files_.Checkpoint(percent);
  return !ReadRecord(files_.Record(percent), checkpoint) &&
         !ReadRecord(files_.Unmeasured(percent), checkpoint);
}

/// A level but for its speed, and a record of that.
void Runner::MakeUnmeasured(size_t index) {
  ThrowIfInterrupted();
  const double percent = run_.levels[index];
  PhaseClock clock = std::exchange(setup_, {});
  LevelRecord record;
  record.sparsity = percent;
  const Checkpoint checkpoint = MakeAndEvaluate(index, record, clock);
  record.times = TimesCells(percent, clock);
  const std::string path = files_.Checkpoint(percent);
  SaveCheckpoint(checkpoint, path);
  record.checkpoint_bytes = FileSize(path);
  WriteRecord(record, files_.Unmeasured(percent));
  PartialLevel(files_.Partial(percent)).Remove();
}

void Runner::MeasureShare(double percent) {
  ThrowIfInterrupted();
  if (Restore(percent)) return;
  AwaitFile(files_.Unmeasured(percent));
  if (RestoreUnmeasured(percent)) return NoteAccuracy(records_.back());
  Fail(files_.Checkpoint(percent), "changed while the run was at work; continue with --resume");
}

}  // namespace sparsify

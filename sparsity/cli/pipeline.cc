#include "sparsity/cli/pipeline.h"

#include <fmt/ranges.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/processor.h"
#include "sparsity/cli/describe_plan.h"
#include "sparsity/cli/network.h"
#include "sparsity/cli/prepare.h"
#include "sparsity/cli/rank_exchange.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/cli/runner.h"
#include "sparsity/cli/timed_targets.h"
#include "sparsity/io/model_file.h"
#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void PrintResults(const PreparedRun& run, const std::vector<LevelRecord>& records,
                  const RunFiles& files) {
  if (run.evaluation) Print(fmt::format("\n{}", FormatConsoleTable(AccuracyTable(records))));
  if (run.config.benchmark) {
    const CsvTable table = SpeedupSummary(SpeedupTable(records));
    Print(fmt::format("\n{}", FormatConsoleTable(table)));
  }
  std::vector<std::string> names;
  for (const char* name :
       {"report.html", "accuracy.csv", "speedup.csv", "layers.csv", "repair.csv", "training.csv",
        "events", "analysis", "permutation.csv", "sensitivity.csv", "layer_times.csv",
        "targets.csv", "times.csv", "resolved.yaml", "checkpoints"}) {
    if (std::filesystem::exists(files.folder() + "/" + name)) names.emplace_back(name);
  }
  Print(fmt::format("\nresults in {}: {}{}\n", files.folder(),
                    run.LearnsSparsities() ? run.AllocationFiles() : "", fmt::join(names, ", ")));
}

void RefuseMissingFeatures(const std::vector<std::string>& missing) {
  if (missing.empty()) return;
  throw Error(ErrorKind::kUsage, fmt::format("{}", fmt::join(missing, "\n  ")));
}

}  // namespace

void RunPipeline(const RunConfig& config, const OptionsDocument& document,
                 const RunRequest& request) {
  Communicator alone;
  Communicator& ranks = request.ranks != nullptr ? *request.ranks : alone;
  const LogLevel level = CurrentLogLevel();
  if (!ranks.IsFirst()) SetLogLevel(LogLevel::kSilent);  // the first says the same
  const std::vector<std::string> missing = MissingFeatures(config, document);
  if (!request.dry_run) RefuseMissingFeatures(missing);
  for (const std::string& line : UnusedSettings(config, document)) Note("{}", line);
  if (config.benchmark) WarnOfCrowding(*config.benchmark, UsableProcessors());
  PreparedRun run = PrepareRun(config, document);
  run.ranks = &ranks;
  CheckSharing(run, document);
  const RunFiles files(config.output.dir);
  const RunIdentity identity = IdentityOf(
      config, run.model.graph,
      {run.evaluation.get(), run.calibration.get(), run.measuring.get(), run.training.get()},
      config.sparsity.progressive || run.scheduler->Continues() ? run.levels
                                                                : std::vector<double>());
  if (request.dry_run) {
    AnalyseNetwork(run, files.Analysis(), false);
    Print(DescribePlan(run,
                       CheckRunFolder(files, identity, SettledLevels(run, files), request.resume)));
    CheckDiskSpace(run, LevelsToMake(files, SettledLevels(run, files), request.resume));
    std::fflush(stdout);
    RefuseMissingFeatures(missing);
    return;
  }
  SetLogLevel(level);
  std::unique_ptr<DirectoryLock> lock;
  ranks.FirstAlone([&] {
    CheckDiskSpace(run, LevelsToMake(files, SettledLevels(run, files), request.resume));
    lock = OpenRunFolder(files, config, identity, SettledLevels(run, files), request.resume);
    if (ranks.Size() > 1) Note("{}", DescribeSharing(run));
  });
  Runner runner(run, files);
  runner.Run();
  if (ranks.IsFirst()) PrintResults(run, runner.records(), files);
}

void EvaluateModel(const RunConfig& config, const OptionsDocument& document) {
  if (!config.data.evaluation) {
    FailUsage(document.Where("data.evaluation"), "missing; nothing to evaluate on");
  }
  const Checkpoint model = LoadModelFile(config.model.path);
  const Graph& graph = model.graph;
  RequireClassifier(graph, config.model.path);
  const auto dataset = OpenDataset(*config.data.evaluation, config.data.transform,
                                   ImageShape(graph), "data.evaluation");
  EvaluateOptions options;
  options.batch = UsableBatch(graph, config.evaluation.batch);
  options.label_offset = config.data.transform.label_offset;
  options.progress = "evaluate";
  const Evaluation result = Evaluate(*dataset, DenseForward(graph, options.batch), options);
  Print(FormatConsoleTable(
      {{"network", "top1", "top5", "loss", "images", "seconds"},
       {{graph.name, fmt::format("{:.2f}", result.top1), fmt::format("{:.2f}", result.top5),
         fmt::format("{:.4f}", result.loss), fmt::format("{}", result.images),
         fmt::format("{:.2f}", result.seconds)}}}));
}

}  // namespace sparsify

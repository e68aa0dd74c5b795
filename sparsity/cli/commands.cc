#include "sparsity/cli/commands.h"

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/options_print.h"
#include "sparsity/base/parallel.h"
#include "sparsity/base/text.h"
#include "sparsity/cli/bench_model.h"
#include "sparsity/cli/inspect.h"
#include "sparsity/cli/pipeline.h"
#include "sparsity/cli/rank_exchange.h"
#include "sparsity/cli/run_config.h"
#include "sparsity/io/model_file.h"

namespace sparsify {
namespace {

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

OptionsDocument LoadDocument(const CommandLine& line) {
  OptionsDocument document = OptionsDocument::FromExtending(line.config);
  for (const std::string& assignment : line.sets) document.Set(assignment);
  return document;
}

void RunConfigured(const CommandLine& line, Communicator& ranks) {
  const OptionsDocument document = LoadDocument(line);
  RunConfig config = ReadRunConfig(document);
  if (!line.output.empty()) config.output.dir = line.output;
  if (line.command == Command::kEvaluate) {
    EvaluateModel(config, document);
  } else {
    RunPipeline(config, document, {line.resume, line.dry_run, &ranks});
  }
}

void Inspect(const CommandLine& line) {
  if (line.units.empty()) {
    Print(InspectModel(LoadModelFile(line.input_file), line.input_file));
    return;
  }
  const UnitPattern pattern = UnitPatternFromName("command line: --units", line.units);
  Print(InspectUnits(LoadModelFile(line.input_file).graph, line.input_file, pattern));
}

void Convert(const CommandLine& line) {
  std::error_code error;
  if (std::filesystem::equivalent(line.input_file, line.output_file, error)) {
    FailUsage("command line", "convert would replace {}, the file that it reads; name another",
              line.output_file);
  }
  SaveModelFile(LoadModelFile(line.input_file), line.output_file);
  Print(fmt::format("{}: {}\n", line.output_file, FormatBytes(FileSize(line.output_file))));
}

void Bench(const CommandLine& line) {
  OptionsDocument document = OptionsDocument::FromText("{}", "command line");
  for (const std::string& assignment : line.sets) document.Set(assignment);
  const BenchmarkOptions options = ReadBenchmark(document);
  Print(BenchModel(LoadModelFile(line.input_file), line.input_file, options));
}

}  // namespace

void RunCommand(const CommandLine& line, Communicator& ranks) {
  SetLogLevel(line.log_level);
  if (!ranks.IsFirst()) {
    SetLogPrefix(fmt::format("rank {}: ", ranks.Rank()));
    SetLogLevel(LogLevel::kWarning);
  }
  SetThreads(ThreadsOfRank(ranks, line.threads));
  const bool is_shared = line.command == Command::kRun && !line.dry_run;
  if (!is_shared && !ranks.IsFirst()) return;
  switch (line.command) {
    case Command::kRun:
    case Command::kEvaluate:
      return RunConfigured(line, ranks);
    case Command::kInspect:
      return Inspect(line);
    case Command::kConvert:
      return Convert(line);
    case Command::kBench:
      return Bench(line);
    case Command::kHelpConfig: {
      RunConfig defaults;
      return Print(line.markdown ? ConfigReference() : OptionsHelp(Fields(defaults)));
    }
    case Command::kPrintText:
      return Print(line.text);
  }
}

}  // namespace sparsify

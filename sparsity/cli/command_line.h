// What the command line asks for. The only user of CLI11.
#pragma once

#include <string>
#include <vector>

#include "sparsity/base/log.h"

namespace sparsify {

enum class Command {
  kRun,         // --config F: prune, evaluate, measure
  kEvaluate,    // evaluate --config F
  kInspect,     // inspect FILE
  kConvert,     // convert IN OUT
  kBench,       // bench FILE
  kHelpConfig,  // --help-config [markdown]
  kPrintText,   // --help, --version: `text`
};

struct CommandLine {
  Command command = Command::kRun;
  std::string config;
  std::vector<std::string> sets;  // "a.b=VALUE", in order
  std::string output;             // --output, or empty
  bool resume = false;
  bool dry_run = false;
  int threads = 0;  // 0: all processors
  LogLevel log_level = LogLevel::kNote;
  std::string input_file;   // inspect, convert, bench
  std::string output_file;  // convert
  std::string units;        // inspect --units[=PATTERN], or empty
  bool markdown = false;    // --help-config markdown
  std::string text;
};

/// Throws a usage Error for an unknown option or a missing argument.
CommandLine ParseCommandLine(int argc, const char* const* argv);

}  // namespace sparsify

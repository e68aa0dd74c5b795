#include "sparsity/cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/cli_test_support.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

CommandLine Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "sparsify");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

std::string ErrorFor(const std::vector<const char*>& arguments) {
  return ErrorOf([&] { Parse(arguments); });
}

TEST(CommandLine, ARunTakesItsOptions) {
  const CommandLine line = Parse({"--config", "f.yaml", "--set", "sweep=[30, 50]", "--set",
                                  "data.evaluation={type: images, path: d}", "--output", "out",
                                  "--resume", "--dry-run", "--threads", "3", "-v"});
  EXPECT_EQ(line.command, Command::kRun);
  EXPECT_EQ(line.config, "f.yaml");
  EXPECT_THAT(line.sets, ElementsAre("sweep=[30, 50]", "data.evaluation={type: images, path: d}"));
  EXPECT_EQ(line.output, "out");
  EXPECT_TRUE(line.resume);
  EXPECT_TRUE(line.dry_run);
  EXPECT_EQ(line.threads, 3);
  EXPECT_EQ(line.log_level, LogLevel::kVerbose);
}

TEST(CommandLine, CommandsTakeTheRunsOptionsToo) {
  const CommandLine line = Parse({"evaluate", "--config", "f.yaml", "-q", "--threads=2"});
  EXPECT_EQ(line.command, Command::kEvaluate);
  EXPECT_EQ(line.config, "f.yaml");
  EXPECT_EQ(line.log_level, LogLevel::kWarning);
  EXPECT_EQ(line.threads, 2);
  EXPECT_EQ(Parse({"inspect", "a.onnx"}).input_file, "a.onnx");
  EXPECT_EQ(Parse({"inspect", "a.onnx"}).units, "");
  EXPECT_EQ(Parse({"inspect", "--units", "a.onnx"}).units, "block");
  EXPECT_EQ(Parse({"inspect", "--units", "a.onnx"}).input_file, "a.onnx");
  EXPECT_EQ(Parse({"inspect", "a.onnx", "--units=layer"}).units, "layer");
  const CommandLine convert = Parse({"convert", "a.onnx", "b.h5"});
  EXPECT_EQ(convert.command, Command::kConvert);
  EXPECT_EQ(convert.input_file, "a.onnx");
  EXPECT_EQ(convert.output_file, "b.h5");
  const CommandLine bench = Parse({"bench", "a.h5", "--set", "benchmark.batch=[1]"});
  EXPECT_EQ(bench.command, Command::kBench);
  EXPECT_EQ(bench.input_file, "a.h5");
  EXPECT_THAT(bench.sets, ::testing::ElementsAre("benchmark.batch=[1]"));
  EXPECT_EQ(ErrorFor({"bench", "a.h5", "--config", "f.yaml"}),
            "command line: bench has no use for --config; leave it out");
}

TEST(CommandLine, CommandsRefuseWhatTheyWouldPassOver) {
  EXPECT_EQ(ErrorFor({"evaluate", "--config", "f.yaml", "--dry-run"}),
            "command line: evaluate has no use for --dry-run; leave it out");
  for (const char* option : {"--resume", "--dry-run"}) {
    EXPECT_EQ(ErrorFor({option, "inspect", "a.onnx"}),
              fmt::format("command line: inspect has no use for {}; leave it out", option));
  }
  for (const char* option : {"--config", "--set", "--output"}) {
    EXPECT_EQ(ErrorFor({"convert", "a.onnx", "b.h5", option, "x"}),
              fmt::format("command line: convert has no use for {}; leave it out", option));
  }
  EXPECT_EQ(ErrorFor({"evaluate", "--config", "f", "--output", "x"}),
            "command line: evaluate has no use for --output; leave it out");
  EXPECT_EQ(ErrorFor({"--config", "f", "--output", ""}),
            "command line: --output is empty; name a folder for the results");
}

TEST(CommandLine, HelpNeedsNoConfiguration) {
  EXPECT_EQ(Parse({"--help-config"}).command, Command::kHelpConfig);
  EXPECT_FALSE(Parse({"--help-config"}).markdown);
  EXPECT_TRUE(Parse({"--help-config", "markdown"}).markdown);
  EXPECT_THAT(Parse({"--help"}).text, HasSubstr("--dry-run"));
  EXPECT_THAT(Parse({"convert", "--help"}).text, HasSubstr("rewrite a network"));
  EXPECT_THAT(Parse({"convert", "--help"}).text, HasSubstr("sparsify convert [OPTIONS] in out"));
  EXPECT_THAT(Parse({"--version"}).text, ::testing::MatchesRegex("sparsify [0-9.]+\n"));
}

TEST(CommandLine, MistakesAreUsageErrors) {
  EXPECT_EQ(ErrorFor({}),
            "command line: nothing to do without --config FILE; sparsify --help lists everything");
  EXPECT_THAT(ErrorFor({"--confg", "f"}), HasSubstr("command line: "));
  EXPECT_THAT(ErrorFor({"--confg", "f"}), HasSubstr("--confg"));
  EXPECT_THAT(ErrorFor({"inspect"}), HasSubstr("file is required"));
  EXPECT_THAT(ErrorFor({"--config", "f", "-v", "-q"}), HasSubstr("excludes"));
  EXPECT_THAT(ErrorFor({"--config", "f", "--threads", "0"}), HasSubstr("--threads"));
  EXPECT_THAT(ErrorFor({"--config", "f", "stray"}), HasSubstr("stray"));
  try {
    Parse({});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.ExitCode(), 2);
  }
}

}  // namespace
}  // namespace sparsify

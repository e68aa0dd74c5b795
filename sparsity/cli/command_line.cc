#include "sparsity/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <initializer_list>

#include "sparsity/base/error.h"
#include "sparsity/cli/version.h"

namespace sparsify {
namespace {

constexpr const char* kDescription =
    "Prunes a trained network, shows what that does to its accuracy, and measures what it buys.";

constexpr const char* kFooter =
    "A run:      sparsify --config configs/quickstart.yaml\n"
    "Its plan:   sparsify --config configs/quickstart.yaml --dry-run\n"
    "One key:    sparsify --config F --set sweep=[50] --set data.evaluation=\"{type: images, path: "
    "d}\"\n"
    "Its speed:  sparsify bench runs/quickstart/checkpoints/sparsity_80.h5 --set "
    "benchmark.batch=[1,8]\n"
    "Exit codes: 0 done, 1 the run failed, 2 wrong command line or configuration, 130 interrupted.";

/// CLI11's options bound to a CommandLine, in one object so that they live as long as the app.
class Parser {
 public:
  Parser() : app_(kDescription, "sparsify") {
    app_.footer(kFooter);
    app_.set_version_flag("--version", fmt::format("sparsify {}", Version()));
    app_.require_subcommand(0, 1);
    AddRunOptions();
    AddCommands();
  }

  CommandLine Parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::CallForVersion& version) {
      return Text(std::string(version.what()) + "\n");
    } catch (const CLI::CallForHelp&) {
      return Text(app_.help());  // of the command, where one is given
    } catch (const CLI::ParseError& error) {
      FailUsage("command line", "{}; sparsify --help lists everything", error.what());
    }
    return Finish();
  }

 private:
  void AddRunOptions() {
    app_.add_option("--config", result_.config, "configuration of the run, YAML")
        ->type_name("FILE");
    app_.add_option("--set", result_.sets, "replace one key, e.g. sweep=[50]; may be repeated")
        ->type_name("KEY=VALUE")
        ->type_size(1)
        ->allow_extra_args(false);
    app_.add_option("--output", result_.output, "folder for the results, instead of output.dir")
        ->type_name("DIR");
    app_.add_flag("--resume", result_.resume, "go on where an interrupted run stopped");
    app_.add_flag("--dry-run", result_.dry_run, "check everything, print the plan, do nothing");
    app_.add_option("--threads", result_.threads, "threads outside measurements; default: all")
        ->type_name("N")
        ->check(CLI::Range(1, 4096));
    CLI::Option* verbose = app_.add_flag("-v,--verbose", verbose_, "say more");
    app_.add_flag("-q,--quiet", quiet_, "say only warnings and results")->excludes(verbose);
    help_config_ = app_.add_option("--help-config", help_config_format_,
                                   "print every configuration key (as Markdown on request)")
                       ->type_name("[markdown]")
                       ->expected(0, 1)
                       ->check(CLI::IsMember({"markdown"}));
  }

  void AddCommands() {
    inspect_ = app_.add_subcommand("inspect", "show what a network file holds");
    inspect_->add_option("file", result_.input_file, ".onnx or .h5")->required();
    inspect_->add_flag("--units{block}", result_.units,
                       "show the units of reconstruction: layer, block (default), independent, "
                       "network; e.g. --units=layer");
    convert_ = app_.add_subcommand("convert", "rewrite a network in another format");
    convert_->add_option("in", result_.input_file, ".onnx or .h5")->required();
    convert_->add_option("out", result_.output_file, ".onnx or .h5")->required();
    evaluate_ = app_.add_subcommand("evaluate", "accuracy of the configured network as it is");
    bench_ = app_.add_subcommand(
        "bench", "time a network file as it is: its zeros by sparse kernels, beside dense ones");
    bench_->add_option("file", result_.input_file, ".onnx or .h5")->required();
    bench_->footer("What is measured: --set benchmark.KEY=VALUE, e.g. --set benchmark.batch=[1,8]");
    for (CLI::App* command : {inspect_, convert_, evaluate_, bench_}) command->fallthrough();
  }

  static CommandLine Text(std::string text) {
    CommandLine line;
    line.command = Command::kPrintText;
    line.text = std::move(text);
    return line;
  }

  /// A command that passed over an option would do something else than was asked for.
  void RefuseOptions(const CLI::App& command, std::initializer_list<const char*> useless) const {
    for (const char* option : useless) {
      if (app_.get_option(option)->count() == 0) continue;
      FailUsage("command line", "{} has no use for {}; leave it out", command.get_name(), option);
    }
  }

  CommandLine Finish() {
    result_.log_level = quiet_     ? LogLevel::kWarning
                        : verbose_ ? LogLevel::kVerbose
                                   : LogLevel::kNote;
    result_.markdown = help_config_format_ == "markdown";
    if (help_config_->count() > 0) {
      result_.command = Command::kHelpConfig;
    } else if (inspect_->parsed() || convert_->parsed()) {
      result_.command = inspect_->parsed() ? Command::kInspect : Command::kConvert;
      RefuseOptions(inspect_->parsed() ? *inspect_ : *convert_,
                    {"--config", "--set", "--output", "--resume", "--dry-run"});
    } else if (bench_->parsed()) {
      result_.command = Command::kBench;
      RefuseOptions(*bench_, {"--config", "--output", "--resume", "--dry-run", "--threads"});
    } else {
      result_.command = evaluate_->parsed() ? Command::kEvaluate : Command::kRun;
      if (evaluate_->parsed()) RefuseOptions(*evaluate_, {"--output", "--resume", "--dry-run"});
      RequireConfig();
    }
    return std::move(result_);
  }

  void RequireConfig() const {
    if (result_.config.empty()) {
      FailUsage("command line",
                "nothing to do without --config FILE; sparsify --help lists "
                "everything");
    }
    if (app_.get_option("--output")->count() > 0 && result_.output.empty()) {
      FailUsage("command line", "--output is empty; name a folder for the results");
    }
  }

  CLI::App app_;
  CommandLine result_;
  bool verbose_ = false;
  bool quiet_ = false;
  std::string help_config_format_;
  CLI::Option* help_config_ = nullptr;
  CLI::App* inspect_ = nullptr;
  CLI::App* convert_ = nullptr;
  CLI::App* evaluate_ = nullptr;
  CLI::App* bench_ = nullptr;
};

}  // namespace

CommandLine ParseCommandLine(int argc, const char* const* argv) {
  return Parser().Parse(argc, argv);
}

}  // namespace sparsify

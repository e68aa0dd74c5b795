#include "sparsity/base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "sparsity/base/log.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

constexpr double kFirstUpdate = 0.3;     // terminal: seconds before the line appears
constexpr double kUpdateInterval = 0.1;  // terminal: seconds between updates
constexpr double kFirstLine = 10;        // log file: seconds before the first line
constexpr double kLineFactor = 2;        // log file: each line takes twice as long to come

bool StderrIsTerminal() { return isatty(STDERR_FILENO) == 1; }

}  // namespace

std::string FormatProgress(const std::string& title, int64_t done, int64_t total, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  const std::string speed = rate > 0 ? fmt::format(", {:.3g}/s", rate) : "";
  if (total <= 0) return fmt::format("{}: {}{}", title, done, speed);
  std::string text =
      fmt::format("{}: {}/{} ({} %){}", title, done, total, done * 100 / total, speed);
  if (done >= total) return text + ", took " + FormatSeconds(seconds);
  if (rate > 0) text += fmt::format(", {} left", FormatSeconds(double(total - done) / rate));
  return text;
}

Progress::Progress(std::string title, int64_t total)
    : Progress(std::move(title), total, StderrIsTerminal()) {}

Progress::Progress(std::string title, int64_t total, bool on_terminal)
    : title_(std::move(title)),
      total_(total),
      on_terminal_(on_terminal),
      next_line_(on_terminal ? kFirstUpdate : kFirstLine) {}

Progress::~Progress() {
  if (shown_ && on_terminal_) SetStatusLine("");
}

void Progress::Advance(int64_t n) {
  const std::scoped_lock lock(mutex_);
  done_ += n;
  const double seconds = Elapsed();
  if (seconds < next_line_ || CurrentLogLevel() <= LogLevel::kWarning) return;
  if (!on_terminal_ && done_ == total_) return;  // whoever asked for the work reports it
  shown_ = true;
  const std::string text = FormatProgress(title_, done_, total_, seconds);
  if (on_terminal_) {
    SetStatusLine(text);
    next_line_ = seconds + kUpdateInterval;
  } else {
    Note("{}", text);
    next_line_ = seconds * kLineFactor;
  }
}

double Progress::Elapsed() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

}  // namespace sparsify

// Messages for the person at the terminal: one line each, on stderr, by verbosity.
//
// Nothing the program decides on its own (a skipped layer, a dense fallback, an
// early stop) may go unsaid: such lines use Note or Warn, which -q does not hide
// entirely (Warn always shows). Tests capture lines with LogCapture.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sparsify {

enum class LogLevel { kSilent = -1, kWarning = 0, kNote = 1, kVerbose = 2 };

/// Lines above `level` are not printed. Default kNote; -q is kWarning, -v is kVerbose.
void SetLogLevel(LogLevel level);
LogLevel CurrentLogLevel();

/// Before every line from now on: which rank speaks.
void SetLogPrefix(std::string prefix);

/// Prints one line (thread safe). Prefer the three functions below.
void LogLine(LogLevel level, std::string_view line);

/// Shows `text` on the terminal's last line until replaced; other lines appear above it.
/// Empty removes it. For terminals only: progress.h decides.
void SetStatusLine(std::string_view text);

template <class... Args>
void Warn(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kWarning, "warning: " + fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void Note(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kNote, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void Verbose(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kVerbose, fmt::format(format, std::forward<Args>(args)...));
}

/// While alive, collects every line of every level instead of printing it. Not nestable.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  std::vector<std::string> lines() const;
  bool Contains(std::string_view text) const;
};

}  // namespace sparsify

#include "sparsity/base/log.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <optional>

namespace sparsify {
namespace {

struct LogState {
  std::mutex mutex;
  LogLevel level = LogLevel::kNote;
  std::optional<std::vector<std::string>> captured;
  std::string status;
  std::string prefix;
};

LogState& State() {
  static LogState state;
  return state;
}

constexpr std::string_view kEraseLine = "\r\x1b[K";

void Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

void SetLogLevel(LogLevel level) {
  const std::scoped_lock lock(State().mutex);
  State().level = level;
}

LogLevel CurrentLogLevel() {
  const std::scoped_lock lock(State().mutex);
  return State().level;
}

void SetLogPrefix(std::string prefix) {
  const std::scoped_lock lock(State().mutex);
  State().prefix = std::move(prefix);
}

void LogLine(LogLevel level, std::string_view text) {
  LogState& state = State();
  const std::scoped_lock lock(state.mutex);
  const std::string line = fmt::format("{}{}", state.prefix, text);
  if (state.captured) {
    state.captured->push_back(line);
    return;
  }
  if (level > state.level) return;
  if (!state.status.empty()) Print(kEraseLine);
  Print(fmt::format("{}\n{}", line, state.status));
  std::fflush(stderr);
}

void SetStatusLine(std::string_view text) {
  LogState& state = State();
  const std::scoped_lock lock(state.mutex);
  if (state.captured || (state.status.empty() && text.empty())) return;
  state.status = text;
  Print(kEraseLine);
  Print(text);
  std::fflush(stderr);
}

LogCapture::LogCapture() {
  const std::scoped_lock lock(State().mutex);
  State().captured.emplace();
}

LogCapture::~LogCapture() {
  const std::scoped_lock lock(State().mutex);
  State().captured.reset();
}

std::vector<std::string> LogCapture::lines() const {
  const std::scoped_lock lock(State().mutex);
  return State().captured.value_or(std::vector<std::string>{});
}

bool LogCapture::Contains(std::string_view text) const {
  const auto all = lines();
  return std::any_of(all.begin(), all.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

}  // namespace sparsify

// How far a long loop is: one line that rewrites itself on a terminal, a few lines in a
// log file, nothing under -q.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace sparsify {

class Progress {
 public:
  /// `total` units of work; 0 or less when not known.
  Progress(std::string title, int64_t total);
  /// The same with the kind of output fixed instead of looked up.
  Progress(std::string title, int64_t total, bool on_terminal);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `n` more units are done. Thread safe and cheap.
  void Advance(int64_t n = 1);

 private:
  using Clock = std::chrono::steady_clock;
  double Elapsed() const;

  const std::string title_;
  const int64_t total_;
  const bool on_terminal_;
  const Clock::time_point start_ = Clock::now();
  std::mutex mutex_;
  int64_t done_ = 0;
  double next_line_;  // seconds after start_
  bool shown_ = false;
};

/// "title: 120/1963 (6 %), 33.1/s, 56 s left".
std::string FormatProgress(const std::string& title, int64_t done, int64_t total, double seconds);

}  // namespace sparsify

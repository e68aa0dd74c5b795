// Threads that do the same thing at the same time, again and again, to be timed.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace sparsify {

class ThreadTeam {
 public:
  /// `members` ≥ 1 threads that live as long as the team; a team of one is the caller itself.
  /// Throws Error when the system gives fewer.
  explicit ThreadTeam(int members);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  /// body(i) on thread i, none before all are awake. Returns the seconds from the first one's
  /// start to the last one's end. An exception of a body is rethrown when all have ended.
  double Run(const std::function<void(int)>& body);

 private:
  using Clock = std::chrono::steady_clock;

  void Dismiss();
  void Serve(int member);
  void RunOne(int member, const std::function<void(int)>& body);
  double Span() const;

  std::mutex mutex_;
  std::condition_variable begin_;
  std::condition_variable end_;
  const std::function<void(int)>* body_ = nullptr;  // of the round
  int64_t round_ = 0;
  int running_ = 0;
  bool stop_ = false;
  std::exception_ptr error_;
  std::atomic<int> asleep_ = 0;
  std::vector<std::pair<Clock::time_point, Clock::time_point>> spans_;
  std::vector<std::thread> threads_;
};

}  // namespace sparsify

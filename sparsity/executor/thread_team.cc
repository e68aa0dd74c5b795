#include "sparsity/executor/thread_team.h"

#include <algorithm>
#include <system_error>

#include "sparsity/base/error.h"

namespace sparsify {

ThreadTeam::ThreadTeam(int members) : spans_(static_cast<size_t>(members)) {
  if (members == 1) return;
  try {
    for (int member = 0; member < members; ++member) {
      threads_.emplace_back([this, member] { Serve(member); });
    }
  } catch (const std::system_error& error) {
    const size_t started = threads_.size();
    Dismiss();
    Fail("threads", "{} asked for, the system gives {} ({}); use fewer", members, started,
         error.what());
  }
}

ThreadTeam::~ThreadTeam() { Dismiss(); }

void ThreadTeam::Dismiss() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  begin_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

double ThreadTeam::Run(const std::function<void(int)>& body) {
  error_ = nullptr;
  if (threads_.empty()) {
    RunOne(0, body);
  } else {
    std::unique_lock lock(mutex_);
    body_ = &body;
    running_ = static_cast<int>(threads_.size());
    asleep_ = running_;
    ++round_;
    begin_.notify_all();
    end_.wait(lock, [&] { return running_ == 0; });
  }
  if (error_) std::rethrow_exception(error_);
  return Span();
}

void ThreadTeam::Serve(int member) {
  int64_t served = 0;
  for (;;) {
    std::unique_lock lock(mutex_);
    begin_.wait(lock, [&] { return stop_ || round_ != served; });
    if (stop_) return;
    served = round_;
    const std::function<void(int)>& body = *body_;
    lock.unlock();
    --asleep_;
    while (asleep_ > 0) std::this_thread::yield();
    RunOne(member, body);
    lock.lock();
    if (--running_ == 0) end_.notify_all();
  }
}

void ThreadTeam::RunOne(int member, const std::function<void(int)>& body) {
  auto& [start, end] = spans_[static_cast<size_t>(member)];
  start = Clock::now();
  try {
    body(member);
  } catch (...) {
    const std::scoped_lock lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
  end = Clock::now();
}

double ThreadTeam::Span() const {
  auto [first, last] = spans_.front();
  for (const auto& [start, end] : spans_) {
    first = std::min(first, start);
    last = std::max(last, end);
  }
  return std::chrono::duration<double>(last - first).count();
}

}  // namespace sparsify

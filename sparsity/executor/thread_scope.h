// A number of worker threads for one scope.
#pragma once

#include "sparsity/base/parallel.h"

namespace sparsify {

class ThreadScope {
 public:
  explicit ThreadScope(int threads) : before_(Threads()) { SetThreads(threads); }
  ~ThreadScope() { SetThreads(before_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

}  // namespace sparsify

#include "sparsity/base/interrupt.h"

#include <atomic>
#include <csignal>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

// Read by every thread, written by a handler on any.
std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void HandleSignal(int signal) {
  interrupted.store(true, std::memory_order_relaxed);
  std::signal(signal, SIG_DFL);
}

}  // namespace

void InstallInterruptHandlers() {
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond `ulimit -f` is an error of the write
  std::signal(SIGINT, HandleSignal);
  std::signal(SIGTERM, HandleSignal);
  // The end of a terminal; nohup ignores it, and so it stays.
  if (std::signal(SIGHUP, HandleSignal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
}

bool InterruptRequested() { return interrupted.load(std::memory_order_relaxed); }

void ThrowIfInterrupted() {
  if (InterruptRequested()) ThrowInterrupted();
}

void ThrowInterrupted() {
  throw Error(ErrorKind::kInterrupted,
              "stopped on request; what is finished is saved, continue with --resume");
}

}  // namespace sparsify

#include "sparsity/base/interrupt.h"

#include <csignal>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

volatile std::sig_atomic_t interrupted = 0;

extern "C" void HandleSignal(int signal) {
  interrupted = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void InstallInterruptHandlers() {
  std::signal(SIGINT, HandleSignal);
  std::signal(SIGTERM, HandleSignal);
  // The end of a terminal; nohup ignores it, and so it stays.
  if (std::signal(SIGHUP, HandleSignal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
}

bool InterruptRequested() { return interrupted != 0; }

void ThrowIfInterrupted() {
  if (InterruptRequested()) ThrowInterrupted();
}

void ThrowInterrupted() {
  throw Error(ErrorKind::kInterrupted,
              "stopped on request; what is finished is saved, continue with --resume");
}

}  // namespace sparsify

// Clean stop on Ctrl-C and SIGTERM: a flag that long loops poll between units of work.
#pragma once

namespace sparsify {

/// Installs handlers for SIGINT and SIGTERM that set the flag; a second signal kills at once.
void InstallInterruptHandlers();

/// True after the first signal.
bool InterruptRequested();

/// Throws Error(kInterrupted) if a signal came. Call between batches, layers and levels.
void ThrowIfInterrupted();

/// Throws it in any case: a signal came here or to another rank (communicator.h).
[[noreturn]] void ThrowInterrupted();

}  // namespace sparsify

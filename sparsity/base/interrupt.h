// Clean stop on Ctrl-C, SIGTERM and the end of the terminal: a flag that long loops poll between
// units of work.
#pragma once

namespace sparsify {

/// Installs handlers for SIGINT, SIGTERM and (unless it is ignored) SIGHUP that set the flag; a
/// second signal kills at once. A limit on the size of files becomes an error, not a signal.
void InstallInterruptHandlers();

/// True after the first signal.
bool InterruptRequested();

/// Throws Error(kInterrupted) if a signal came. Call between batches, layers and levels.
void ThrowIfInterrupted();

/// Throws it in any case: a signal came here or to another rank (communicator.h).
[[noreturn]] void ThrowInterrupted();

}  // namespace sparsify

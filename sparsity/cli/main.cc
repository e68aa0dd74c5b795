// Entry point: parse, dispatch, and catch every error once.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/cli/commands.h"
#include "sparsity/cli/thread_waiting.h"
#include "sparsity/executor/plan.h"

namespace {

int Report(const char* message, int exit_code) {
  sparsify::SetStatusLine("");
  std::fprintf(stderr, "sparsify: error: %s\n", message);
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  sparsify::ShortenThreadWaiting(argv);
  try {
    sparsify::LimitDenseLibrary();
    sparsify::InstallInterruptHandlers();
    sparsify::RunCommand(sparsify::ParseCommandLine(argc, argv));
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      return Report("standard output: cannot write", 1);
    return 0;
  } catch (const sparsify::Error& error) {
    return Report(error.what(), error.ExitCode());
  } catch (const std::bad_alloc&) {
    return Report("out of memory; a smaller batch or network needs less", 1);
  } catch (const std::exception& error) {
    return Report(fmt::format("unexpected: {}", error.what()).c_str(), 1);
  }
}

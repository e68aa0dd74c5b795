// Entry point: parse, dispatch, and catch every error once.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <new>
#include <optional>
#include <string>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/mpi_session.h"
#include "sparsity/base/parallel.h"
#include "sparsity/cli/commands.h"
#include "sparsity/cli/thread_waiting.h"
#include "sparsity/executor/plan.h"

namespace {

void Print(const std::string& message) {
  sparsify::SetStatusLine("");
  std::fprintf(stderr, "sparsify: error: %s\n", message.c_str());
}

// What went wrong, and the exit status; nothing when all is well.
struct Outcome {
  std::string message;
  int exit_code = 0;
};

template <class Body>
Outcome Try(const Body& body) {
  try {
    body();
    return {};
  } catch (const sparsify::Error& error) {
    return {error.what(), error.ExitCode()};
  } catch (const std::bad_alloc&) {
    return {"out of memory; a smaller batch or network needs less", 1};
  } catch (const std::exception& error) {
    return {fmt::format("unexpected: {}", error.what()), 1};
  }
}

void Run(int argc, char** argv, sparsify::Communicator& ranks) {
  sparsify::RunCommand(sparsify::ParseCommandLine(argc, argv), ranks);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    sparsify::Fail("standard output", "cannot write");
  }
}

}  // namespace

int main(int argc, char** argv) {
  sparsify::ShortenThreadWaiting(argv);
  std::optional<sparsify::MpiSession> session;
  Outcome outcome = Try([&] {
    sparsify::LimitDenseLibrary();
    sparsify::InstallInterruptHandlers();
    session.emplace();
  });
  if (!session) {
    Print(outcome.message);
    return outcome.exit_code;
  }
  outcome = Try([&] { Run(argc, argv, session->ranks()); });
  if (outcome.exit_code != 0) session->Fail(outcome.message, outcome.exit_code, Print);
  return outcome.exit_code;
}

// The one door to MPI: the ranks that mpirun has started, and how they end together.
// Two implementations, of which CMake builds one: with MPI, and without.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "sparsity/base/communicator.h"

namespace sparsify {

/// What a launcher says of its processes in their environment.
struct Launch {
  int rank = 0;
  int size = 0;  // 0: it does not say
  std::string launcher;
};

/// By the variables of Open MPI, MPICH and PMIx; nothing when no launcher has started this process.
/// `variable` is getenv.
std::optional<Launch> FindLaunch(const std::function<const char*(const char*)>& variable);

class MpiSession {
 public:
  /// Joins the others if a launcher has started this process, and is alone otherwise. Throws a
  /// usage Error where there are others and this program is built without MPI.
  MpiSession();
  /// Waits asleep for the others' end.
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  /// Whether this program can work with others.
  static bool IsBuilt();

  Communicator& ranks() { return *ranks_; }
  /// What a rank that has failed does last; `say` prints a message. Where all ranks come to their
  /// end within a few seconds of each other (of one mistake, or on Ctrl-C), one says `message`, the
  /// others what differs from it, and the call returns. Otherwise it says `message` with its rank
  /// and ends the job with `exit_code`: the others cannot go on without it.
  void Fail(const std::string& message, int exit_code,
            const std::function<void(const std::string&)>& say);

 private:
  struct Implementation;
  std::unique_ptr<Communicator> ranks_;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace sparsify

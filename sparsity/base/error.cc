#include "sparsity/base/error.h"

namespace sparsify {

int Error::ExitCode() const {
  switch (kind_) {
    case ErrorKind::kUsage:
      return 2;
    case ErrorKind::kRun:
      return 1;
    case ErrorKind::kInterrupted:
      return 130;
  }
  return 1;
}

}  // namespace sparsify

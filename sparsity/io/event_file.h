// Event files that TensorBoard reads: curves of scalars by step.
//
// A folder is one of TensorBoard's runs. Every start of the program adds a file to it,
// events.out.tfevents.0000, .0001, …, in whose order TensorBoard reads them, and says where it goes
// on: TensorBoard then forgets what the files before hold of that step and later ones. Records are
// appended one by one, so that what was written stays readable whenever the program ends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/base/file.h"

namespace sparsify {

struct Scalar {
  std::string tag;  // the curve; "group/name" puts curves of a group beside each other
  double value = 0;
};

/// Whether the folder exists and holds an event file.
bool HasEventFiles(const std::string& folder);

class EventFile {
 public:
  /// Makes the folder if need be and begins its next file. Throws Error naming the path.
  EventFile(const std::string& folder, int64_t first_step);

  /// One event with all these curves at `step`, stamped with the present time. It is with the
  /// operating system when this returns.
  void Write(int64_t step, const std::vector<Scalar>& scalars);

  const std::string& path() const { return file_.path(); }

 private:
  AppendedFile file_;
};

}  // namespace sparsify

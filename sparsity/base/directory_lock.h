// One process at a time in a directory, and what those that were killed have left there.
#pragma once

#include <cstdint>
#include <string>

namespace sparsify {

/// Keeps a directory to one process: a second lock on it is refused until this one is gone, with
/// the process at the latest, however that ends. A file system without locks lets everybody in,
/// which is noted.
class DirectoryLock {
 public:
  /// Throws a usage Error where another process holds the directory.
  explicit DirectoryLock(const std::string& path);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_ = -1;
};

/// Removes what AtomicFiles of killed processes have left in the directory, and says how many
/// files; only for who holds the directory. A directory that does not exist holds none.
int64_t RemoveAbandonedFiles(const std::string& directory);

}  // namespace sparsify

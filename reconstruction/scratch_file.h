// A temporary file for what does not fit into memory: nameless, gone with the process however
// it ends.
#pragma once

#include <cstdint>
#include <string>

namespace sparsify {

class ScratchFile {
 public:
  /// Nothing is created before the first Reserve. An empty `directory` is the system's temporary
  /// one (TMPDIR).
  explicit ScratchFile(std::string directory = "");
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  /// Makes room on the disk, so that writing there cannot fail half-way. Throws Error that says
  /// how much was wanted and how much is free.
  void Reserve(int64_t offset, int64_t bytes);
  /// Gives reserved room back to the disk, where the file system can; what was there is lost.
  void Release(int64_t offset, int64_t bytes);
  void Write(int64_t offset, const void* data, int64_t bytes);
  /// Reads what was written. Thread safe. Throws Error when the file ends before.
  void Read(int64_t offset, void* data, int64_t bytes) const;

  const std::string& directory() const { return directory_; }

 private:
  void Create();

  std::string directory_;
  int descriptor_ = -1;
};

}  // namespace sparsify

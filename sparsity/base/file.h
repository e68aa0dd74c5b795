// Whole files in and out: atomic writes that survive a crash or a full disk, reads with a
// size limit, directories and free space.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sparsify {

/// A file that appears under `path` complete or not at all. Contents go to a temporary
/// name in the same directory, either through Write or by another library that opens
/// temporary_path() itself; Commit flushes it to the disk and renames it. Without Commit
/// the destructor removes it. Every failure throws Error naming `path`; a full disk is
/// said to be one.
class AtomicFile {
 public:
  /// Creates the temporary file, empty, with the usual permissions.
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::string& path() const { return path_; }
  const std::string& temporary_path() const { return temporary_path_; }

  /// Appends bytes.
  void Write(std::string_view bytes);
  /// Makes the contents durable under path(). Call once, after other writers have closed.
  void Commit();

 private:
  std::string path_;
  std::string temporary_path_;
  int descriptor_ = -1;
  bool committed_ = false;
};

/// A new file that grows while it is read by others. Every failure throws Error naming `path`.
class AppendedFile {
 public:
  /// Creates the file; there must be none.
  explicit AppendedFile(std::string path);
  ~AppendedFile();
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;

  const std::string& path() const { return path_; }

  /// The bytes are with the operating system when this returns, so that they outlive the process.
  void Append(std::string_view bytes);

 private:
  std::string path_;
  int descriptor_ = -1;
};

void WriteFileAtomically(const std::string& path, std::string_view contents);

/// The whole file. Throws Error when it is missing, not a file, or larger than `max_bytes`.
std::string ReadFile(const std::string& path, int64_t max_bytes);

/// Size in bytes; throws Error when `path` is not a readable regular file.
int64_t FileSize(const std::string& path);

/// Bytes a normal user may still write where `path` lies or will lie.
int64_t FreeDiskSpace(const std::string& path);

/// Why nothing can be written to `path`, a directory or one that can be made; empty: it can, as
/// far as permissions tell.
std::string WriteObstacle(const std::string& path);

/// Creates the directory and its parents; throws Error when a file is in the way.
void MakeDirectories(const std::string& path);

/// Removes a file that has served its purpose; that it is not there, or stays, is no error.
void RemoveFile(const std::string& path);

}  // namespace sparsify

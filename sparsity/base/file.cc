#include "sparsity/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "sparsity/base/error.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;

std::string DirectoryOf(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

std::string Reason(int error) { return std::generic_category().message(error); }

[[noreturn]] void FailWrite(const std::string& path, int error) {
  if (error == ENOSPC || error == EDQUOT) {
    Fail(path, "disk full while writing ({} free); make room or choose another output directory",
         FormatBytes(FreeDiskSpace(path)));
  }
  Fail(path, "cannot write: {}", Reason(error));
}

void WriteAll(int descriptor, const std::string& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      FailWrite(path, errno);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

/// Closes on scope exit; used where a failed close loses nothing.
struct Descriptor {
  explicit Descriptor(int d) : value(d) {}
  ~Descriptor() {
    if (value >= 0) close(value);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value;
};

/// Opens for reading; throws unless it is a file that can be read. A pipe is fine.
int OpenForReading(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) Fail(path, "cannot open: {}", Reason(errno));
  struct stat status = {};
  if (fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) {
    close(descriptor);
    Fail(path, "is a directory, expected a file");
  }
  return descriptor;
}

/// `path` itself or the first of its parents that is there.
fs::path NearestExisting(const std::string& path) {
  std::error_code error;
  fs::path place = fs::absolute(path, error);
  while (!fs::exists(place, error) && place.has_relative_path()) place = place.parent_path();
  return place;
}

void SyncDirectory(const std::string& directory) {
  const Descriptor descriptor(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems refuse this; the rename itself has succeeded by now.
  if (descriptor.value >= 0) (void)fsync(descriptor.value);
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  static std::atomic<uint64_t> counter = 0;
  if (path_.empty()) Fail("output file", "empty path");
  std::error_code ignored;
  if (fs::is_directory(path_, ignored)) Fail(path_, "is a directory, cannot write a file there");
  temporary_path_ = fmt::format("{}.{}.{}.partial", path_, getpid(), counter++);
  descriptor_ = open(temporary_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    const int error = errno;
    if (error == ENOENT) {
      Fail(path_, "cannot write: directory {} does not exist", DirectoryOf(path_));
    }
    FailWrite(path_, error);
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!committed_) (void)unlink(temporary_path_.c_str());
}

void AtomicFile::Write(std::string_view bytes) { WriteAll(descriptor_, path_, bytes); }

void AtomicFile::Commit() {
  // Another library may have replaced the file rather than truncated it.
  const Descriptor other(open(temporary_path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (other.value < 0 || fsync(other.value) != 0 || fsync(descriptor_) != 0) {
    FailWrite(path_, errno);
  }
  const int closed = close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) FailWrite(path_, errno);
  if (rename(temporary_path_.c_str(), path_.c_str()) != 0) FailWrite(path_, errno);
  committed_ = true;
  SyncDirectory(DirectoryOf(path_));
}

AppendedFile::AppendedFile(std::string path) : path_(std::move(path)) {
  descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) FailWrite(path_, errno);
}

AppendedFile::~AppendedFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

void AppendedFile::Append(std::string_view bytes) { WriteAll(descriptor_, path_, bytes); }

void WriteFileAtomically(const std::string& path, std::string_view contents) {
  AtomicFile file(path);
  file.Write(contents);
  file.Commit();
}

std::string ReadFile(const std::string& path, int64_t max_bytes) {
  const Descriptor descriptor(OpenForReading(path));
  std::string contents;
  constexpr size_t kChunk = size_t{1} << 16;
  for (;;) {
    const size_t used = contents.size();
    contents.resize(used + kChunk);
    const ssize_t count = read(descriptor.value, contents.data() + used, kChunk);
    if (count < 0 && errno == EINTR) {
      contents.resize(used);
      continue;
    }
    if (count < 0) Fail(path, "cannot read: {}", Reason(errno));
    contents.resize(used + static_cast<size_t>(count));
    if (count == 0) return contents;
    if (static_cast<int64_t>(contents.size()) > max_bytes) {
      Fail(path, "larger than {}, the most that is read here", FormatBytes(max_bytes));
    }
  }
}

int64_t FileSize(const std::string& path) {
  const Descriptor descriptor(OpenForReading(path));
  struct stat status = {};
  if (fstat(descriptor.value, &status) != 0) Fail(path, "cannot read: {}", Reason(errno));
  if (!S_ISREG(status.st_mode)) Fail(path, "is not a regular file");
  return status.st_size;
}

int64_t FreeDiskSpace(const std::string& path) {
  std::error_code error;
  const fs::space_info space = fs::space(NearestExisting(path), error);
  if (error) Fail(path, "cannot tell the free disk space: {}", error.message());
  return static_cast<int64_t>(space.available);
}

std::string WriteObstacle(const std::string& path) {
  const fs::path place = NearestExisting(path);
  if (access(place.c_str(), W_OK | X_OK) == 0) return "";
  return fmt::format("{}: {}", place.string(), Reason(errno));
}

void MakeDirectories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) Fail(path, "cannot create the directory: {}", error.message());
  if (!fs::is_directory(path, error)) Fail(path, "exists and is not a directory");
}

void RemoveFile(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
}

}  // namespace sparsify

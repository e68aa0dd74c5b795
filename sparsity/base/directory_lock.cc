#include "sparsity/base/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;

std::string Reason(int error) { return std::generic_category().message(error); }

/// "NAME.17.3.partial", as AtomicFile names them.
bool IsTemporaryName(std::string_view name) {
  constexpr std::string_view kExtension = ".partial";
  if (!name.ends_with(kExtension)) return false;
  name.remove_suffix(kExtension.size());
  for (int number = 0; number < 2; ++number) {
    const size_t digits = name.find_last_not_of("0123456789") + 1;
    if (digits == 0 || digits == name.size() || name[digits - 1] != '.') return false;
    name.remove_suffix(name.size() - digits + 1);
  }
  return !name.empty();
}

}  // namespace

DirectoryLock::DirectoryLock(const std::string& path)
    : descriptor_(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0) Fail(path, "cannot open the directory: {}", Reason(errno));
  if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  if (error == EWOULDBLOCK) {
    close(descriptor_);
    FailUsage(path, "another process is working in this folder; wait for its end");
  }
  Note("{}: cannot be locked ({}); start no second run in it", path, Reason(error));
}

DirectoryLock::~DirectoryLock() { close(descriptor_); }

int64_t RemoveAbandonedFiles(const std::string& directory) {
  int64_t count = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const bool is_file = entry.is_regular_file(error);
    if (!is_file || !IsTemporaryName(entry.path().filename().string())) continue;
    if (fs::remove(entry.path(), error)) ++count;
  }
  return count;
}

}  // namespace sparsify

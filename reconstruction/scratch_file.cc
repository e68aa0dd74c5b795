#include "reconstruction/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

constexpr const char* kRemedy =
    "raise reconstruction.memory_limit, use fewer calibration images, or set TMPDIR to a "
    "directory with more room";

std::string Reason(int error) { return std::generic_category().message(error); }

std::string DirectoryOrDefault(std::string directory) {
  if (!directory.empty()) return directory;
  std::error_code error;
  const auto found = std::filesystem::temp_directory_path(error);
  return error ? "/tmp" : found.string();
}

}  // namespace

ScratchFile::ScratchFile(std::string directory)
    : directory_(DirectoryOrDefault(std::move(directory))) {}

ScratchFile::~ScratchFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

void ScratchFile::Create() {
  std::string name = directory_ + "/sparsify-scratch-XXXXXX";
  descriptor_ = mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) {
    Fail(directory_, "cannot create a scratch file for kept activations: {}; {}", Reason(errno),
         kRemedy);
  }
  unlink(name.c_str());
}

void ScratchFile::Reserve(int64_t offset, int64_t bytes) {
  if (descriptor_ < 0) Create();
  int error = EINTR;
  while (error == EINTR) {  // a signal; some file systems stop for it
    ThrowIfInterrupted();
    error = posix_fallocate(descriptor_, offset, bytes);
  }
  if (error == 0) return;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    Fail(directory_, "no room for {} of kept activations in the scratch file ({} free); {}",
         FormatBytes(bytes), FormatBytes(FreeDiskSpace(directory_)), kRemedy);
  }
  Fail(directory_, "cannot reserve {} for kept activations: {}; {}", FormatBytes(bytes),
       Reason(error), kRemedy);
}

void ScratchFile::Release(int64_t offset, int64_t bytes) {
  // Where the file system makes no holes the room comes back with the file's end.
  (void)fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
}

void ScratchFile::Write(int64_t offset, const void* data, int64_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t count = pwrite(descriptor_, from, static_cast<size_t>(bytes), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      Fail(directory_, "cannot write the scratch file: {}; {}", Reason(errno), kRemedy);
    from += count;
    offset += count;
    bytes -= count;
  }
}

void ScratchFile::Read(int64_t offset, void* data, int64_t bytes) const {
  char* to = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t count = pread(descriptor_, to, static_cast<size_t>(bytes), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      Fail(directory_, "cannot read the scratch file back: {}",
           count < 0 ? Reason(errno) : "it ends early");
    }
    to += count;
    offset += count;
    bytes -= count;
  }
}

}  // namespace sparsify

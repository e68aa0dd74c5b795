#include "sparsity/base/directory_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DirectoryLockTest : public ::testing::Test {
 protected:
  DirectoryLockTest()
      : folder_(fs::path(::testing::TempDir()) /
                ("directory_lock_test_" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~DirectoryLockTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  static std::string ErrorOfLocking(const std::string& path) {
    try {
      const DirectoryLock lock(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  const fs::path folder_;
};

TEST_F(DirectoryLockTest, IsGivenOnce) {
  {
    const DirectoryLock lock(folder_.string());
    EXPECT_EQ(ErrorOfLocking(folder_.string()),
              folder_.string() + ": another process is working in this folder; wait for its end");
  }
  EXPECT_EQ(ErrorOfLocking(folder_.string()), "no error");
  EXPECT_THAT(ErrorOfLocking(Path("none")), HasSubstr("none: cannot open the directory: "));
}

TEST_F(DirectoryLockTest, AbandonedFilesAreToldByTheirNames) {
  const AtomicFile half_written(Path("a"));
  for (const char* name : {"b.partial", "b.7.partial", "b.7.x.partial", ".7.8.partial", "7.8"}) {
    WriteFileAtomically(Path(name), "x");
  }
  EXPECT_EQ(RemoveAbandonedFiles(folder_.string()), 1);
  EXPECT_FALSE(fs::exists(half_written.temporary_path()));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 5);
  EXPECT_EQ(RemoveAbandonedFiles(Path("none")), 0);
}

}  // namespace
}  // namespace sparsify

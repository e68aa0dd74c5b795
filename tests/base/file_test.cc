#include "sparsity/base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  FileTest()
      : folder_(fs::path(::testing::TempDir()) /
                (std::string("file_test_") +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name() +
                 std::to_string(getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~FileTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  int64_t FilesInFolder() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }
  template <class Body>
  static std::string MessageOf(Body body) {
    try {
      body();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  const fs::path folder_;
};

TEST_F(FileTest, CommitReplacesTheOldFile) {
  WriteFileAtomically(Path("a"), "old");
  AtomicFile file(Path("a"));
  file.Write("ne");
  file.Write("w");
  EXPECT_EQ(ReadFile(Path("a"), 100), "old");
  file.Commit();
  EXPECT_EQ(ReadFile(Path("a"), 100), "new");
  EXPECT_EQ(FilesInFolder(), 1);
}

TEST_F(FileTest, AnAppendedFileGrowsInPlace) {
  AppendedFile file(Path("a"));
  EXPECT_EQ(ReadFile(Path("a"), 100), "");
  file.Append("one ");
  EXPECT_EQ(ReadFile(Path("a"), 100), "one ");
  file.Append(std::string_view("t\0o", 3));
  EXPECT_EQ(ReadFile(Path("a"), 100), std::string("one t\0o", 7));
  EXPECT_EQ(MessageOf([&] { AppendedFile again(Path("a")); }),
            Path("a") + ": cannot write: File exists");
  EXPECT_EQ(MessageOf([&] { AppendedFile nowhere(Path("no/b")); }),
            Path("no/b") + ": cannot write: No such file or directory");
}

TEST_F(FileTest, WithoutCommitNothingIsLeft) {
  { AtomicFile(Path("a")).Write("half"); }
  EXPECT_EQ(FilesInFolder(), 0);
}

TEST_F(FileTest, AnotherWriterMayFillTheTemporaryFile) {
  AtomicFile file(Path("a"));
  std::ofstream(file.temporary_path(), std::ios::trunc) << "by another library";
  file.Commit();
  EXPECT_EQ(ReadFile(Path("a"), 100), "by another library");
}

TEST_F(FileTest, PermissionsFollowTheUmask) {
  const mode_t old = umask(027);
  WriteFileAtomically(Path("a"), "x");
  umask(old);
  EXPECT_EQ(static_cast<int>(fs::status(Path("a")).permissions()), 0640);
}

TEST_F(FileTest, ErrorsNameTheFileAndTheCause) {
  EXPECT_EQ(MessageOf([&] { WriteFileAtomically(Path("no/a"), ""); }),
            Path("no/a") + ": cannot write: directory " + Path("no") + " does not exist");
  EXPECT_EQ(MessageOf([&] { WriteFileAtomically(folder_.string(), ""); }),
            folder_.string() + ": is a directory, cannot write a file there");
  EXPECT_EQ(MessageOf([&] { ReadFile(Path("none"), 10); }),
            Path("none") + ": cannot open: No such file or directory");
  EXPECT_EQ(MessageOf([&] { ReadFile(folder_.string(), 10); }),
            folder_.string() + ": is a directory, expected a file");
}

TEST_F(FileTest, ADiskThatIsFullIsCalledFull) {
  const int full = open("/dev/full", O_WRONLY);
  if (full < 0) GTEST_SKIP() << "no /dev/full on this system";
  const int next = dup(full);  // the number that the file's descriptor will get
  close(next);
  std::string message;
  {
    AtomicFile file(Path("a"));
    ASSERT_EQ(dup2(full, next), next);
    message = MessageOf([&] { file.Write("x"); });
  }
  close(full);
  EXPECT_THAT(message, HasSubstr(Path("a") + ": disk full while writing ("));
  EXPECT_THAT(message, HasSubstr("free); make room or choose another output directory"));
  EXPECT_EQ(FilesInFolder(), 0);
}

TEST_F(FileTest, ReadRefusesTooMuch) {
  WriteFileAtomically(Path("a"), std::string(2000, 'x'));
  EXPECT_EQ(ReadFile(Path("a"), 2000).size(), 2000U);
  EXPECT_EQ(MessageOf([&] { ReadFile(Path("a"), 1999); }),
            Path("a") + ": larger than 2.00 kB, the most that is read here");
  EXPECT_EQ(FileSize(Path("a")), 2000);
}

TEST_F(FileTest, FreeSpaceWorksForPathsThatDoNotExistYet) {
  EXPECT_GT(FreeDiskSpace(Path("not/yet/there")), 0);
}

TEST_F(FileTest, SaysWhatStandsInTheWayOfWriting) {
  EXPECT_EQ(WriteObstacle(Path("not/yet/there")), "");
  if (!fs::exists("/proc/self")) GTEST_SKIP() << "no /proc on this system";
  // Not even root may write there.
  EXPECT_THAT(WriteObstacle("/proc/self/new/folder"), HasSubstr("/proc/self: "));
}

TEST_F(FileTest, MakeDirectoriesRefusesAFileInTheWay) {
  MakeDirectories(Path("x/y"));
  EXPECT_TRUE(fs::is_directory(Path("x/y")));
  WriteFileAtomically(Path("f"), "");
  EXPECT_THAT(MessageOf([&] { MakeDirectories(Path("f")); }), HasSubstr(Path("f") + ": "));
  EXPECT_THAT(MessageOf([&] { MakeDirectories(Path("f/g")); }), HasSubstr("Not a directory"));
}

}  // namespace
}  // namespace sparsify

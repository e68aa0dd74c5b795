#include "reconstruction/scratch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <vector>

#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MessageOf;

TEST(ScratchFile, ReturnsBytesAndEndsWhereItEnds) {
  ScratchFile file;
  const std::vector<int> numbers = {1, 2, 3, 4};
  file.Reserve(0, 16);
  file.Write(0, numbers.data(), 16);
  std::vector<int> read(2);
  file.Read(4, read.data(), 8);
  EXPECT_THAT(read, ElementsAre(2, 3));
  EXPECT_EQ(MessageOf([&] { file.Read(12, read.data(), 8); }),
            file.directory() + ": cannot read the scratch file back: it ends early");
}

TEST(ScratchFile, WhatIsReleasedLeavesTheRest) {
  ScratchFile file;
  const std::vector<int> numbers(1 << 16, 7);
  const int64_t bytes = std::ssize(numbers) * 4;
  file.Reserve(0, 2 * bytes);
  file.Write(0, numbers.data(), bytes);
  file.Write(bytes, numbers.data(), bytes);
  file.Release(0, bytes);
  std::vector<int> read(numbers.size());
  file.Read(bytes, read.data(), bytes);
  EXPECT_EQ(read, numbers);
  file.Reserve(0, bytes);
  file.Write(0, numbers.data(), bytes);
  file.Read(0, read.data(), bytes);
  EXPECT_EQ(read, numbers);
}

TEST(ScratchFile, SaysWhereItCannotBeMade) {
  ScratchFile file("/does/not/exist");
  EXPECT_EQ(MessageOf([&] { file.Reserve(0, 1); }),
            "/does/not/exist: cannot create a scratch file for kept activations: No such file or "
            "directory; raise reconstruction.memory_limit, use fewer calibration images, or set "
            "TMPDIR to a directory with more room");
}

// A limit on the size of files stands for a disk that is full.
TEST(ScratchFile, NoRoomIsSaidBeforeAnythingIsWritten) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1 << 20;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  ScratchFile file;
  const std::string message = MessageOf([&] { file.Reserve(0, 5'000'000); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message,
              HasSubstr(": no room for 5.00 MB of kept activations in the scratch file ("));
  EXPECT_THAT(message, HasSubstr(" free); raise reconstruction.memory_limit"));
}

}  // namespace
}  // namespace sparsify

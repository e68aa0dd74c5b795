#include "sparsity/io/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "sparsity/base/error.h"
#include "tests/io/event_reader.h"
#include "tests/io/temporary_directory.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using testing::ReadCurve;
using testing::ReadEvent;
using testing::ReadEvents;

double Now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

TEST(EventFile, HoldsWhatIsWritten) {
  const TemporaryDirectory folder;
  const double before = Now();
  EventFile file(folder.Path("a/b"), 0);
  file.Write(50, {{"training/loss", 0.25}, {"training/top1", 0}});
  file.Write(int64_t{1} << 40, {{"training/loss", -3.5e7}});
  EXPECT_EQ(file.path(), folder.Path("a/b") + "/events.out.tfevents.0000");
  const std::vector<ReadEvent> events = ReadEvents(file.path());
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_EQ(events[1].session_status, 1);
  EXPECT_EQ(events[1].step, 0);
  EXPECT_EQ(events[2].step, 50);
  EXPECT_THAT(events[2].scalars,
              ElementsAre(Pair("training/loss", 0.25F), Pair("training/top1", 0.0F)));
  EXPECT_EQ(events[3].step, int64_t{1} << 40);
  EXPECT_THAT(events[3].scalars, ElementsAre(Pair("training/loss", -3.5e7F)));
  for (const ReadEvent& event : events) {
    EXPECT_GE(event.wall_time, before);
    EXPECT_LE(event.wall_time, Now());
  }
}

// The frame of a record, worked out by hand with another implementation of the checksum: the
// length, its masked checksum, the contents, theirs.
TEST(EventFile, RecordsAreFramedAsTfRecords) {
  const TemporaryDirectory folder;
  const EventFile file(folder.Path("a"), 0);
  const std::string bytes = ReadFile(file.path(), 1 << 20);
  // wall_time (9 bytes), file_version (2 + 13 bytes); a step of 0 is left out.
  ASSERT_GE(bytes.size(), 12U);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x18\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(bytes.substr(8, 4), "\xA3\x7F\x4B\x22");
  EXPECT_EQ(bytes.substr(21, 15),
            "\x1A\x0D"
            "brain.Event:2");
}

TEST(EventFile, AStartSupersedesWhatIsBeyondIt) {
  const TemporaryDirectory folder;
  EXPECT_FALSE(HasEventFiles(folder.Path("run")));
  {
    EventFile first(folder.Path("run"), 0);
    for (const int64_t step : {10, 20, 30}) first.Write(step, {{"loss", 1.0 * step}});
  }
  EXPECT_TRUE(HasEventFiles(folder.Path("run")));
  EventFile second(folder.Path("run"), 11);
  EXPECT_EQ(second.path(), folder.Path("run") + "/events.out.tfevents.0001");
  second.Write(20, {{"loss", 21}});
  EXPECT_THAT(ReadCurve(folder.Path("run"), "loss"), ElementsAre(Pair(10, 10), Pair(20, 21)));
}

TEST(EventFile, OtherFilesAreNone) {
  const TemporaryDirectory folder;
  for (const char* name : {"events.out.tfevents.", "events.out.tfevents.1700000000.host", "x",
                           "events.out.tfevents.12345678901"}) {
    WriteFileAtomically(folder.Path(name), "x");
  }
  EXPECT_FALSE(HasEventFiles(folder.Path("")));
  EXPECT_THAT(EventFile(folder.Path(""), 0).path(), ::testing::EndsWith("tfevents.0000"));
}

TEST(EventFile, AFolderThatCannotBeMadeIsNamed) {
  const TemporaryDirectory folder;
  WriteFileAtomically(folder.Path("a"), "x");
  try {
    const EventFile file(folder.Path("a/b"), 0);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::StartsWith(folder.Path("a/b")));
  }
}

}  // namespace
}  // namespace sparsify

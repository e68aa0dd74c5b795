#include "sparsity/cli/level_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "sparsity/io/checkpoint_seal.h"
#include "tests/cli/cli_test_support.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;

constexpr size_t kBytes = 600;

LevelRecord Sample() {
  LevelRecord record;
  record.sparsity = 62.5;
  record.checkpoint_bytes = kBytes;
  record.accuracy.assign(AccuracyColumns().size(), "1, \"two\"\n");
  record.layers.assign(2 * LayerColumns().size(), "l");
  return record;
}

// Sealed, and begins as an HDF5 file does; no checkpoint else.
std::string SealedBytes() {
  std::string bytes(kBytes, 'x');
  bytes.replace(kSealBytes, 9, "\x89HDF\r\n\x1a\n\x02");
  SealImage({reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});  // NOLINT
  return bytes;
}

TEST(LevelRecord, ReadsBackToTheSame) {
  const TestFolder folder;
  WriteRecord(Sample(), folder.Path("r.yaml"));
  WriteFileAtomically(folder.Path("c.h5"), SealedBytes());
  const LogCapture log;
  const auto record = ReadRecord(folder.Path("r.yaml"), folder.Path("c.h5"));
  ASSERT_TRUE(record.has_value()) << ::testing::PrintToString(log.lines());
  EXPECT_EQ(record->sparsity, 62.5);
  EXPECT_EQ(record->accuracy, Sample().accuracy);
  EXPECT_EQ(record->layers, Sample().layers);
  EXPECT_TRUE(record->speedup.empty());
}

TEST(LevelRecord, WithoutItsCheckpointALevelIsNotDone) {
  const TestFolder folder;
  EXPECT_FALSE(ReadRecord(folder.Path("r.yaml"), folder.Path("c.h5")).has_value());
  WriteRecord(Sample(), folder.Path("r.yaml"));
  const LogCapture log;
  EXPECT_FALSE(ReadRecord(folder.Path("r.yaml"), folder.Path("c.h5")).has_value());
  EXPECT_TRUE(log.Contains("c.h5: missing; this level is done again"));
  WriteFileAtomically(folder.Path("c.h5"), "ab");
  EXPECT_FALSE(ReadRecord(folder.Path("r.yaml"), folder.Path("c.h5")).has_value());
  EXPECT_TRUE(log.Contains("c.h5: has 2 bytes, was written with 600; this level is done again"));
}

TEST(LevelRecord, WithADamagedCheckpointALevelIsNotDone) {
  const TestFolder folder;
  WriteRecord(Sample(), folder.Path("r.yaml"));
  std::string bytes = SealedBytes();
  bytes[550] = 'y';
  WriteFileAtomically(folder.Path("c.h5"), bytes);
  const LogCapture log;
  EXPECT_FALSE(ReadRecord(folder.Path("r.yaml"), folder.Path("c.h5")).has_value());
  EXPECT_TRUE(log.Contains("; this level is done again"));
  WriteFileAtomically(folder.Path("c.h5"), SealedBytes());
  EXPECT_TRUE(ReadRecord(folder.Path("r.yaml"), folder.Path("c.h5")).has_value());
}

TEST(LevelRecord, DamageIsAnError) {
  const TestFolder folder;
  LevelRecord record = Sample();
  record.accuracy.pop_back();
  WriteRecord(record, folder.Path("r.yaml"));
  EXPECT_THAT(ErrorOf([&] { ReadRecord(folder.Path("r.yaml"), ""); }),
              HasSubstr("r.yaml: accuracy: 9 cells, expected rows of 10"));
}

TEST(LevelRecord, ColumnsOfAnotherVersionAreAnError) {
  // Rows of twelve cells would pass for rows of sixteen.
  const TestFolder folder;
  WriteFileAtomically(folder.Path("r.yaml"), "sparsity: 50\n");
  EXPECT_THAT(ErrorOf([&] { ReadRecord(folder.Path("r.yaml"), ""); }),
              HasSubstr("r.yaml: written by another version, its tables have other columns; remove "
                        "the file to redo this level"));
}

TEST(LevelRecord, TablesJoinTheRows) {
  const CsvTable layers = LayerTable({Sample(), Sample()});
  EXPECT_EQ(layers.header, LayerColumns());
  EXPECT_EQ(layers.rows.size(), 4U);
  EXPECT_EQ(AccuracyTable({Sample()}).rows.size(), 1U);
  EXPECT_TRUE(SpeedupTable({Sample()}).rows.empty());
}

TEST(SpeedupSummary, ShowsThroughputWhereThereAreStreams) {
  LevelRecord record;
  record.speedup.assign(SpeedupColumns().size(), "1");
  const CsvTable one = SpeedupSummary(SpeedupTable({record}));
  EXPECT_EQ(one.header.size(), 12U);
  EXPECT_THAT(one.header, ::testing::Not(::testing::Contains("streams")));
  LevelRecord four = record;
  const auto streams = std::find(SpeedupColumns().begin(), SpeedupColumns().end(), "streams");
  ASSERT_NE(streams, SpeedupColumns().end());
  four.speedup[static_cast<size_t>(streams - SpeedupColumns().begin())] = "4";
  const CsvTable both = SpeedupSummary(SpeedupTable({record, four}));
  EXPECT_EQ(both.header.size(), 15U);
  EXPECT_EQ(both.header[3], "streams");
  EXPECT_EQ(both.header[14], "dense_images_per_second");
  EXPECT_EQ(both.rows[1][3], "4");
}

TEST(LevelRecord, ColumnsAreTheContract) {
  EXPECT_THAT(AccuracyColumns(),
              ::testing::ElementsAre("network", "method", "sparsity", "achieved_sparsity", "top1",
                                     "top5", "agreement", "loss", "images", "seconds"));
  const std::vector<std::string> first(SpeedupColumns().begin(), SpeedupColumns().begin() + 13);
  EXPECT_THAT(first,
              ::testing::ElementsAre("network", "batch", "threads", "precision", "isa", "sparsity",
                                     "DAGs", "time_ms", "speedup", "memory_size_MB", "blob_MB",
                                     "bandwidth_MB", "dense_time_ms"));
}

}  // namespace
}  // namespace sparsify

#include "sparsity/base/processor.h"

#include <gtest/gtest.h>

#include <thread>

#include "sparsity/base/file.h"

namespace sparsify {
namespace {

TEST(ValueInFile, IsThatOfTheFirstLineWithTheKey) {
  const std::string path = ::testing::TempDir() + "processor_values.txt";
  WriteFileAtomically(path,
                      "model : 7\nmodel name\t: Some CPU @ 2 GHz\nmodel name : other\nempty :\n");
  EXPECT_EQ(ValueInFile(path, "model name", ':'), "Some CPU @ 2 GHz");
  EXPECT_EQ(ValueInFile(path, "model", ':'), "7");
  EXPECT_EQ(ValueInFile(path, "empty", ':'), "");
  EXPECT_EQ(ValueInFile(path, "missing", ':'), "");
  EXPECT_EQ(ValueInFile(path + ".none", "model", ':'), "");
  RemoveFile(path);
}

TEST(ProcessorName, IsNeverEmpty) { EXPECT_FALSE(ProcessorName().empty()); }

TEST(UsableProcessors, IsAtLeastOne) {
  EXPECT_GE(UsableProcessors(), 1);
  EXPECT_LE(UsableProcessors(), static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace sparsify

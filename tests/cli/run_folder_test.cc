#include "sparsity/cli/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "tests/cli/cli_test_support.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::vector<double> kLevels = {30, 50};

class RunFolderTest : public ::testing::Test {
 protected:
  RunFolderTest() : files_(folder_.Path("run")) {
    config_.model.path = "net.onnx";
    identity_ = {ResolvedConfig(config_), "abc"};
  }

  void Open(bool resume = false) { (void)OpenHeld(resume); }
  std::unique_ptr<DirectoryLock> OpenHeld(bool resume = false) {
    return OpenRunFolder(files_, config_, identity_, kLevels, resume);
  }
  std::string Check(bool resume = false) const {
    return CheckRunFolder(files_, identity_, kLevels, resume);
  }

  const TestFolder folder_;
  const RunFiles files_;
  RunConfig config_;
  RunIdentity identity_;
};

TEST_F(RunFolderTest, NamesFilesByLevel) {
  EXPECT_EQ(RunFiles("r").Checkpoint(62.5), "r/checkpoints/sparsity_62.5.h5");
  EXPECT_EQ(RunFiles("r").Record(30), "r/records/sparsity_30.yaml");
  EXPECT_EQ(RunFiles("r").Record(0), "r/records/dense.yaml");
}

TEST_F(RunFolderTest, ANewFolderIsMade) {
  EXPECT_EQ(Check(), "new");
  EXPECT_FALSE(fs::exists(files_.folder()));
  Open();
  EXPECT_EQ(ReadFile(files_.Resolved(), 1 << 20), ResolvedConfig(config_));
  EXPECT_TRUE(fs::is_directory(files_.folder() + "/checkpoints"));
}

TEST_F(RunFolderTest, AnUnfinishedRunWantsResume) {
  Open();
  WriteFileAtomically(files_.Record(30), "x");
  EXPECT_EQ(ErrorOf([&] { Open(); }),
            files_.folder() +
                ": holds an unfinished run of this configuration (1 of 2 sparsities done); "
                "continue it with --resume, or choose another folder with --output DIR");
  EXPECT_EQ(Check(true), "resumed, 1 of 2 sparsities done");
  Open(true);
  EXPECT_TRUE(fs::exists(files_.Record(30)));
  EXPECT_THAT(LevelsToMake(files_, kLevels, true), ::testing::ElementsAre(50));
  EXPECT_THAT(LevelsToMake(files_, kLevels, false), ::testing::ElementsAre(30, 50));
}

TEST_F(RunFolderTest, AFinishedRunOfTheSameConfigurationIsReplaced) {
  Open();
  WriteFileAtomically(files_.Record(30), "x");
  WriteFileAtomically(files_.Report(), "x");
  EXPECT_EQ(Check(), "replaces a finished run of the same configuration");
  EXPECT_TRUE(fs::exists(files_.Record(30)));
  const LogCapture log;
  Open();
  EXPECT_TRUE(log.Contains("replacing the finished run"));
  EXPECT_FALSE(fs::exists(files_.Record(30)));
  EXPECT_FALSE(fs::exists(files_.Report()));
}

TEST_F(RunFolderTest, CheckpointsOfAnEarlierSweepStayAndAreNamed) {
  Open();
  WriteFileAtomically(files_.Report(), "x");
  WriteFileAtomically(files_.Checkpoint(30), "x");
  const LogCapture log;
  Open();
  EXPECT_FALSE(log.Contains("earlier sweep"));
  WriteFileAtomically(files_.Report(), "x");
  WriteFileAtomically(files_.Checkpoint(95), "x");
  Open();
  EXPECT_TRUE(log.Contains(
      "checkpoints: sparsity_95.h5 of an earlier sweep stays; no table of this run speaks of it"));
  EXPECT_TRUE(fs::exists(files_.Checkpoint(95)));
}

TEST_F(RunFolderTest, AnotherRunThatFinishedNothingGivesWay) {
  Open();
  identity_.network = "def";
  EXPECT_EQ(Check(), "replaces another run that has finished nothing");
  const LogCapture log;
  Open();
  EXPECT_TRUE(log.Contains("replacing another run that has finished nothing"));
  EXPECT_EQ(ErrorOf([&] { Open(); }),
            files_.folder() +
                ": holds an unfinished run of this configuration (0 of 2 sparsities done); "
                "continue it with --resume, or choose another folder with --output DIR");
}

TEST_F(RunFolderTest, AnotherConfigurationIsRefused) {
  Open();
  WriteFileAtomically(files_.Record(0), "x");
  identity_.configuration.replace(identity_.configuration.find("seed: 0"), 7, "seed: 9");
  EXPECT_EQ(ErrorOf([&] { Open(true); }),
            files_.folder() +
                ": holds another run: it had \"seed: 0\", now \"seed: 9\"; choose "
                "another folder with --output DIR, or remove this one");
}

TEST_F(RunFolderTest, AForeignFolderIsRefused) {
  MakeDirectories(files_.folder());
  WriteFileAtomically(files_.folder() + "/thesis.tex", "x");
  EXPECT_THAT(ErrorOf([&] { Open(); }), HasSubstr("not empty and not the output of a run"));
  EXPECT_TRUE(fs::exists(files_.folder() + "/thesis.tex"));
}

TEST_F(RunFolderTest, OneProcessAtATimeWorksInAFolder) {
  const auto held = OpenHeld();
  EXPECT_EQ(ErrorOf([&] { Open(true); }),
            files_.folder() + ": another process is working in this folder; wait for its end");
}

TEST_F(RunFolderTest, WhatAKilledRunLeftHalfWrittenGoes) {
  Open();
  const std::string half = files_.Checkpoint(30) + ".123.4.partial";
  const std::string others[] = {files_.folder() + "/film.partial", files_.Partial(30)};
  WriteFileAtomically(half, "x");
  for (const std::string& other : others) WriteFileAtomically(other, "x");
  const LogCapture log;
  Open(true);
  EXPECT_FALSE(fs::exists(half));
  for (const std::string& other : others) EXPECT_TRUE(fs::exists(other)) << other;
  EXPECT_TRUE(log.Contains(": 1 file removed that an earlier run left half written"));
}

TEST_F(RunFolderTest, FoldersWithoutFilesAreEmpty) {
  MakeDirectories(files_.folder() + "/records");
  EXPECT_EQ(Check(), "new");
}

TEST_F(RunFolderTest, AFolderThatCannotBeWrittenIsRefusedBeforeAnything) {
  if (!fs::exists("/proc/self")) GTEST_SKIP() << "no /proc on this system";
  const RunFiles files("/proc/self/run");
  EXPECT_THAT(ErrorOf([&] { CheckRunFolder(files, identity_, kLevels, false); }),
              HasSubstr("/proc/self/run: cannot be written (/proc/self: "));
}

TEST_F(RunFolderTest, AFileInTheWayIsRefused) {
  WriteFileAtomically(files_.folder(), "x");
  EXPECT_THAT(ErrorOf([&] { Open(); }), HasSubstr("exists and is not a folder"));
}

}  // namespace
}  // namespace sparsify

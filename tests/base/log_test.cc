#include "sparsity/base/log.h"

#include <gtest/gtest.h>

namespace sparsify {
namespace {

class LogTest : public ::testing::Test {
 protected:
  void TearDown() override {
    SetLogLevel(LogLevel::kNote);
    SetLogPrefix("");
  }

  static std::string Said() {
    ::testing::internal::CaptureStderr();
    Warn("careful {}", 1);
    Note("so");
    Verbose("thus");
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, LevelsSayMoreAndMore) {
  SetLogLevel(LogLevel::kSilent);
  EXPECT_EQ(Said(), "");
  SetLogLevel(LogLevel::kWarning);
  EXPECT_EQ(Said(), "warning: careful 1\n");
  SetLogLevel(LogLevel::kNote);
  EXPECT_EQ(Said(), "warning: careful 1\nso\n");
  SetLogLevel(LogLevel::kVerbose);
  EXPECT_EQ(Said(), "warning: careful 1\nso\nthus\n");
}

TEST_F(LogTest, APrefixIsBeforeEveryLine) {
  SetLogPrefix("rank 1: ");
  EXPECT_EQ(Said(), "rank 1: warning: careful 1\nrank 1: so\n");
  const LogCapture captured;
  Note("captured");
  EXPECT_EQ(captured.lines(), std::vector<std::string>{"rank 1: captured"});
}

}  // namespace
}  // namespace sparsify

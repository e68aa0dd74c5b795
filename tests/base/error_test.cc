#include "sparsity/base/error.h"

#include <gtest/gtest.h>

#include "sparsity/base/log.h"

namespace sparsify {
namespace {

TEST(Error, FailNamesPlaceAndIsARunError) {
  try {
    Fail("model.h5:/conv1", "shape {}, graph expects {}", "[1]", "[2]");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "model.h5:/conv1: shape [1], graph expects [2]");
    EXPECT_EQ(error.ExitCode(), 1);
    return;
  }
  FAIL() << "Fail returned";
}

TEST(Error, UsageErrorsExitWithTwo) {
  try {
    FailUsage("a.yaml:3:1", "unknown key");
  } catch (const Error& error) {
    EXPECT_EQ(error.ExitCode(), 2);
    return;
  }
  FAIL() << "FailUsage returned";
}

TEST(Log, CaptureSeesEveryLevel) {
  const LogCapture capture;
  Warn("low {}", 1);
  Verbose("detail");
  EXPECT_TRUE(capture.Contains("warning: low 1"));
  EXPECT_TRUE(capture.Contains("detail"));
  EXPECT_EQ(capture.lines().size(), 2U);
}

}  // namespace
}  // namespace sparsify

#include "sparsity/data/checkpoint_transform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;

TEST(TransformOf, IsWhatTheRunWasConfiguredWith) {
  Checkpoint checkpoint;
  checkpoint.configuration =
      "model:\n  path: a.onnx\ndata:\n  transform:\n    resize: [8]\n    color: bgr\n"
      "    mean: [0.1, 0.2, 0.3]\nkeys_of_later_versions: 1\n";
  const auto options = TransformOf(checkpoint, "a.h5");
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->resize, std::vector<int64_t>{8});
  EXPECT_EQ(options->color, "bgr");
  EXPECT_EQ(options->mean, (std::vector<double>{0.1, 0.2, 0.3}));
  EXPECT_EQ(options->std, std::vector<double>{1});
}

TEST(TransformOf, NothingWithoutAConfiguration) {
  Checkpoint checkpoint;
  EXPECT_FALSE(TransformOf(checkpoint, "a.h5").has_value());
  checkpoint.configuration = "seed: 1\n";
  EXPECT_FALSE(TransformOf(checkpoint, "a.h5").has_value());
}

TEST(TransformOf, ADamagedConfigurationIsAFaultOfTheFile) {
  Checkpoint checkpoint;
  checkpoint.configuration = "data: {transform: {resize: [much]}}";
  try {
    TransformOf(checkpoint, "a.h5");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.ExitCode(), 1);
    EXPECT_THAT(error.what(), HasSubstr("a.h5:/configuration:1:29: data.transform.resize"));
  }
}

}  // namespace
}  // namespace sparsify

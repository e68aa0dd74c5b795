#include "sparsity/cli/dense_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/file.h"
#include "tests/cli/cli_test_support.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Two images that nobody looks at.
class TwoImages : public Dataset {
 public:
  int64_t size() const override { return 2; }
  Shape image_shape() const override { return {1, 1, 1}; }
  int64_t Load(int64_t, float* image) const override {
    *image = 0;
    return 0;
  }
  std::string NameOf(int64_t i) const override { return i == 0 ? "a, b.png" : "c.png"; }
};

const CsvTable kAccuracy = {{"network", "top1"}, {{"n", "91.25"}}};

TEST(DenseResult, ReadsBack) {
  const TestFolder folder;
  WriteDensePredictions({7, 3}, TwoImages(), folder.Path("p.csv"));
  const DenseResult result = ReadDenseResult(folder.Path("p.csv"), kAccuracy, TwoImages());
  EXPECT_EQ(result.top1, 91.25);
  EXPECT_THAT(result.predictions, ElementsAre(7, 3));
}

TEST(DenseResult, OtherDataIsNoticed) {
  const TestFolder folder;
  WriteFileAtomically(folder.Path("p.csv"), "image,class\na,1\n");
  EXPECT_THAT(ErrorOf([&] { ReadDenseResult(folder.Path("p.csv"), kAccuracy, TwoImages()); }),
              HasSubstr("1 images, the data has 2; it changed since the run began"));
  WriteFileAtomically(folder.Path("p.csv"), "image,class\n\"a, b.png\",1\nc.png,x\n");
  EXPECT_THAT(ErrorOf([&] { ReadDenseResult(folder.Path("p.csv"), kAccuracy, TwoImages()); }),
              HasSubstr("\"x\", expected a number"));
  // As many images, in another order.
  WriteFileAtomically(folder.Path("p.csv"), "image,class\nc.png,1\n\"a, b.png\",2\n");
  EXPECT_THAT(
      ErrorOf([&] { ReadDenseResult(folder.Path("p.csv"), kAccuracy, TwoImages()); }),
      HasSubstr("p.csv: has \"c.png\" where the data has \"a, b.png\"; it changed since the "
                "run began"));
}

}  // namespace
}  // namespace sparsify

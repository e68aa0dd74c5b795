#include "sparsity/base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(EditDistance, CountsEditsAndSwaps) {
  EXPECT_EQ(EditDistance("", ""), 0);
  EXPECT_EQ(EditDistance("abc", ""), 3);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
  EXPECT_EQ(EditDistance("sparisty", "sparsity"), 1);
  EXPECT_EQ(EditDistance("Type", "type"), 0);
}

TEST(NearestName, FindsTheTypo) {
  const std::vector<std::string> known = {"mask_generator", "fake_sparse", "scheduler"};
  EXPECT_EQ(NearestName("mask_genrator", known), "mask_generator");
  EXPECT_EQ(NearestName("Scheduler", known), "scheduler");
  EXPECT_EQ(NearestName("sparse", known), "fake_sparse");
  EXPECT_EQ(NearestName("banana", known), "");
  EXPECT_EQ(NearestName("", known), "");
}

TEST(NearestName, IsPutIntoASentence) {
  EXPECT_EQ(DidYouMean("foo", {"fool"}), "; did you mean \"fool\"?");
  EXPECT_EQ(DidYouMean("x", {"fool"}), "");
}

TEST(SplitCommaList, TrimsAndDropsEmptyItems) {
  EXPECT_THAT(SplitCommaList(" a, b c ,,d"), ElementsAre("a", "b c", "d"));
  EXPECT_THAT(SplitCommaList(""), IsEmpty());
  EXPECT_THAT(SplitCommaList(" , "), IsEmpty());
}

TEST(FormatBytes, UsesThreeDigits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(1500), "1.50 kB");
  EXPECT_EQ(FormatBytes(717096), "717 kB");
  EXPECT_EQ(FormatBytes(999999), "1.00 MB");
  EXPECT_EQ(FormatBytes(12345678), "12.3 MB");
  EXPECT_EQ(FormatBytes(int64_t{9'223'372'036'854'775'807}), "9.22 EB");
}

TEST(FormatSeconds, ReadsLikeAPerson) {
  EXPECT_EQ(FormatSeconds(0.84), "0.8 s");
  EXPECT_EQ(FormatSeconds(45.2), "45 s");
  EXPECT_EQ(FormatSeconds(200), "3 min 20 s");
  EXPECT_EQ(FormatSeconds(7500), "2 h 05 min");
  EXPECT_EQ(FormatSeconds(-1), "unknown");
}

}  // namespace
}  // namespace sparsify

#include "sparsity/cli/phase_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(PhaseClock, AddsUpByPhaseInTheOrderOfFirstUse) {
  PhaseClock clock;
  clock.Add("masks", 1);
  clock.Add("repair", {{"forward", 2.0}, {"solve", 3.0}});
  clock.Add("masks", 0.5);
  EXPECT_THAT(clock.phases(), ElementsAre(Pair("masks", 1.5), Pair("repair: forward", 2.0),
                                          Pair("repair: solve", 3.0)));
}

TEST(PhaseClock, DescribesTheLongestFirstAndLeavesOutWhatIsNegligible) {
  PhaseClock clock;
  clock.Add("masks", 0.1);
  clock.Add("solve", 30);
  clock.Add("evaluate", 60);
  EXPECT_EQ(clock.Describe(), "evaluate 1 min 0 s, solve 30.0 s");
}

TEST(PhaseClock, TimesABodyEvenWhenItThrows) {
  PhaseClock clock;
  EXPECT_EQ(clock.Time("answer", [] { return 42; }), 42);
  EXPECT_THROW(clock.Time("failure", [] { throw std::runtime_error("no"); }), std::runtime_error);
  ASSERT_EQ(clock.phases().size(), 2U);
  EXPECT_GE(clock.phases()[1].second, 0);
}

TEST(PeakMemory, GrowsWithWhatIsTouched) {
  const int64_t before = PeakMemory();
  ASSERT_GT(before, 0);
  std::vector<char> block(static_cast<size_t>(before) + (64 << 20), 1);
  EXPECT_GT(PeakMemory(), before) << block[block.size() / 2];
}

}  // namespace
}  // namespace sparsify

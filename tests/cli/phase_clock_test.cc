#include "sparsity/cli/phase_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <thread>
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
  EXPECT_EQ(clock.Describe(), "evaluate 1 min 00 s, solve 30 s");
}

TEST(PhaseClock, TimesABodyEvenWhenItThrows) {
  PhaseClock clock;
  const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); };
  EXPECT_EQ(clock.Time("answer", [&] { return pause(), 42; }), 42);
  EXPECT_THROW(clock.Time("failure", [&] { pause(), throw std::runtime_error("no"); }),
               std::runtime_error);
  EXPECT_EQ(clock.Time("nothing", [] { return 1; }), 1);
  ASSERT_EQ(clock.phases().size(), 2U);
  EXPECT_GE(clock.phases()[1].second, 0.005);
}

TEST(PeakMemory, GrowsWithWhatIsTouched) {
  const int64_t before = PeakMemory();
  ASSERT_GT(before, 0);
  std::vector<char> block(static_cast<size_t>(before) + (64 << 20), 1);
  EXPECT_GT(PeakMemory(), before) << block[block.size() / 2];
}

}  // namespace
}  // namespace sparsify

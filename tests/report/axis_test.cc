#include "sparsity/report/axis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/base/random.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Labels(const Axis& axis) {
  std::vector<std::string> labels;
  for (const double tick : axis.ticks) labels.push_back(axis.Label(tick));
  return labels;
}

TEST(NiceAxis, ChoosesRoundTicksAroundTheData) {
  EXPECT_THAT(Labels(NiceAxis(0, 97, 5)), ElementsAre("0", "20", "40", "60", "80", "100"));
  EXPECT_THAT(Labels(NiceAxis(88.3, 94.4, 5)), ElementsAre("88", "90", "92", "94", "96"));
  EXPECT_THAT(Labels(NiceAxis(-1.1, 2.2, 4)), ElementsAre("-2", "-1", "0", "1", "2", "3"));
  EXPECT_THAT(Labels(NiceAxis(0.012, 0.031, 4)),
              ElementsAre("0.010", "0.015", "0.020", "0.025", "0.030", "0.035"));
  EXPECT_THAT(Labels(NiceAxis(0, 1, 4)), ElementsAre("0.00", "0.25", "0.50", "0.75", "1.00"));
  EXPECT_THAT(Labels(NiceAxis(0, 4e7, 4)), ElementsAre("0", "1e+07", "2e+07", "3e+07", "4e+07"));
}

TEST(NiceAxis, WidensAnEmptyRange) {
  for (const double value : {0.0, 5.0, -3e-9, 1e12}) {
    const Axis axis = NiceAxis(value, value, 5);
    EXPECT_LT(axis.min, axis.max);
    EXPECT_LE(axis.min, value);
    EXPECT_GE(axis.max, value);
    EXPECT_GE(axis.ticks.size(), 3U);
  }
}

TEST(NiceAxis, AlwaysEnclosesTheDataWithAFewEvenTicks) {
  Random random(1);
  for (int k = 0; k < 2000; ++k) {
    const double low = (random.Uniform() - 0.5) * std::pow(10, 12 * random.Uniform() - 6);
    const double high = low + std::pow(10, 12 * random.Uniform() - 6);
    const Axis axis = NiceAxis(low, high, 5);
    ASSERT_LE(axis.min, low + 1e-8 * (high - low));
    ASSERT_GE(axis.max, high - 1e-8 * (high - low));
    ASSERT_GE(axis.ticks.size(), 3U) << low << " " << high;
    ASSERT_LE(axis.ticks.size(), 8U) << low << " " << high;
  }
}

TEST(DataAxis, FewValuesAreTheTicks) {
  const Axis axis = DataAxis({90, 50, 30, 0, 70, 50}, 8, 0.05, 0.05);
  EXPECT_THAT(Labels(axis), ElementsAre("0", "30", "50", "70", "90"));
  EXPECT_DOUBLE_EQ(axis.min, -4.5);
  EXPECT_DOUBLE_EQ(axis.max, 94.5);
}

TEST(DataAxis, CrowdedOrOddValuesGetRoundTicks) {
  EXPECT_THAT(Labels(DataAxis({0, 1, 100}, 4, 0, 0.05)), ElementsAre("0", "25", "50", "75", "100"));
  EXPECT_THAT(Labels(DataAxis({0.12345, 1.98765}, 4, 0, 0.05)), ElementsAre("0.5", "1.0", "1.5"));
  EXPECT_EQ(DataAxis({7}, 4, 0, 0.05).ticks, std::vector<double>{7});
}

TEST(LogAxis, EndsAtTicksAroundTheData) {
  EXPECT_THAT(Labels(LogAxis(3, 40)), ElementsAre("2", "5", "10", "20", "50"));
  EXPECT_THAT(Labels(LogAxis(1, 10)), ElementsAre("1", "2", "5", "10"));
  EXPECT_THAT(Labels(LogAxis(0.03, 700)), ElementsAre("0.01", "0.1", "1", "10", "100", "1000"));
  EXPECT_THAT(Labels(LogAxis(7, 7)), ElementsAre("5", "10"));
  EXPECT_THAT(Labels(LogAxis(10, 10)), ElementsAre("10", "20"));
}

TEST(LogAxis, AlwaysEnclosesTheData) {
  Random random(2);
  for (int k = 0; k < 2000; ++k) {
    const double low = std::pow(10, 12 * random.Uniform() - 6);
    const double high = low * std::pow(10, 5 * random.Uniform());
    const Axis axis = LogAxis(low, high);
    ASSERT_LE(axis.min, low * (1 + 1e-8));
    ASSERT_GE(axis.max, high * (1 - 1e-8));
    ASSERT_GE(axis.ticks.size(), 2U);
    ASSERT_LE(axis.ticks.size(), 10U) << low << " " << high;
  }
}

TEST(LogAxis, EqualRatiosAreEqualDistances) {
  Axis axis = LogAxis(1, 100);
  axis.from = 0;
  axis.to = 200;
  EXPECT_DOUBLE_EQ(axis.At(1), 0);
  EXPECT_NEAR(axis.At(10), 100, 1e-9);
  EXPECT_DOUBLE_EQ(axis.At(100), 200);
  EXPECT_NEAR(axis.At(50) - axis.At(5), 100, 1e-9);
}

TEST(Axis, MapsValuesToPaper) {
  Axis axis = NiceAxis(0, 100, 5);
  axis.from = 300;
  axis.to = 50;
  EXPECT_DOUBLE_EQ(axis.At(0), 300);
  EXPECT_DOUBLE_EQ(axis.At(100), 50);
  EXPECT_DOUBLE_EQ(axis.At(50), 175);
}

}  // namespace
}  // namespace sparsify

#include "sparsity/cli/run_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sparsify {
namespace {

StepReport Step(const std::string& name, const std::string& op, bool is_layer = false) {
  StepReport step;
  step.name = name;
  step.op = op;
  step.kernel = "kernel of " + name;
  step.is_layer = is_layer;
  return step;
}

TEST(AttributeTimes, EveryStepCountsWithALayer) {
  PlanProfile profile;
  profile.plan.steps = {Step("x", "Reorder"),       Step("stem", "Conv", true),  // stays dense
                        Step("in", "Reorder"),      Step("a", "Conv+Relu", true),
                        Step("pool", "MaxPool"),    Step("dw", "Conv", true),  // stays dense
                        Step("between", "Reorder"), Step("b", "Conv", true),
                        Step("softmax", "Softmax"), Step("out", "Reorder")};
  profile.step_ms = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
  const std::vector<LayerTime> layers = {{"a", 10, 20, 0.5, 0, ""}, {"b", 1, 2, 0.4, 0, ""}};
  const NetworkTimes times = AttributeTimes(profile, 0.5, layers, 2);
  EXPECT_EQ(times.level, 0.5);
  EXPECT_EQ(times.rest_ms, 2 * (1 + 2));
  ASSERT_EQ(times.layers.size(), 2U);
  EXPECT_EQ(times.layers[0], (LayerTime{"a", 10, 20, 0.5, 2 * (4 + 8 + 16 + 32), "kernel of a"}));
  EXPECT_EQ(times.layers[1],
            (LayerTime{"b", 1, 2, 0.4, 2 * (64 + 128 + 256 + 512), "kernel of b"}));
  EXPECT_EQ(times.Total(), 2 * 1023);
}

}  // namespace
}  // namespace sparsify

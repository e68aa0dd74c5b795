#include "sparsity/cli/partial_level.h"

#include <gtest/gtest.h>

#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "tests/cli/cli_test_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

Checkpoint Sample() {
  testing::GraphBuilder builder("tiny");
  const ValueId x = builder.Input({1, 4, 4});
  Checkpoint checkpoint;
  checkpoint.graph = builder.Finish({builder.Conv("conv", x, 1, 2, 3)});
  checkpoint.masks["conv.weight"] = Mask(Shape{2, 1, 3, 3});
  return checkpoint;
}

TEST(PartialLevel, RestoresWhatWasSaved) {
  const TestFolder folder;
  Checkpoint saved = Sample();
  Tensor& weight = saved.graph.mutable_value(saved.graph.FindValue("conv.weight")).data;
  weight[3] = 7;
  const PartialState state = {5,
                              {{"a, \"b\"", 0.1, 1.0 / 3, 7, 8, 0.25, "stopped: early", ""},
                               {"c", 0, 0, 0, 0, 0, "", "nothing is pruned up to here"}},
                              true};
  PartialLevel(folder.Path("p.h5")).Save(saved, state, true);
  Checkpoint restored = Sample();
  const PartialState found = PartialLevel(folder.Path("p.h5")).Restore(restored);
  EXPECT_EQ(found.finished, 5);
  EXPECT_TRUE(found.repaired);
  ASSERT_EQ(found.units.size(), 2);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(found.units[i].name, state.units[i].name);
    EXPECT_EQ(found.units[i].loss_before, state.units[i].loss_before);
    EXPECT_EQ(found.units[i].loss_after, state.units[i].loss_after);
    EXPECT_EQ(found.units[i].steps, state.units[i].steps);
    EXPECT_EQ(found.units[i].samples, state.units[i].samples);
    EXPECT_EQ(found.units[i].seconds, state.units[i].seconds);
    EXPECT_EQ(found.units[i].remark, state.units[i].remark);
    EXPECT_EQ(found.units[i].unrepaired, state.units[i].unrepaired);
  }
  EXPECT_EQ(restored.graph.value(restored.graph.FindValue("conv.weight")).data[3], 7);
  EXPECT_EQ(restored.masks, saved.masks);
}

TEST(PartialLevel, NothingOrADamagedFileMeansFromTheBeginning) {
  const TestFolder folder;
  const LogCapture log;
  Checkpoint checkpoint = Sample();
  EXPECT_EQ(PartialLevel(folder.Path("none.h5")).Restore(checkpoint).finished, 0);
  WriteFileAtomically(folder.Path("bad.h5"), "no checkpoint");
  EXPECT_EQ(PartialLevel(folder.Path("bad.h5")).Restore(checkpoint).finished, 0);
  EXPECT_TRUE(log.Contains("this level is repaired from its beginning"));
  SaveCheckpoint(checkpoint, folder.Path("plain.h5"));
  EXPECT_EQ(PartialLevel(folder.Path("plain.h5")).Restore(checkpoint).finished, 0);
}

TEST(PartialLevel, KeepsAPolishBesideTheRepair) {
  const TestFolder folder;
  const LogCapture log;
  PartialLevel partial(folder.Path("p.h5"));
  EXPECT_FALSE(partial.RestorePolish());
  TrainingState state;
  state.step = 12;
  state.parameters["conv.weight"] = Tensor(Shape{2, 1, 3, 3});
  state.parameters["conv.weight"][4] = 3;
  partial.SavePolish([&] { return state; });  // too soon
  EXPECT_FALSE(partial.RestorePolish());
  partial.SavePolish([&] { return state; }, true);
  const auto restored = PartialLevel(folder.Path("p.h5")).RestorePolish();
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->step, 12);
  EXPECT_EQ(restored->parameters.at("conv.weight")[4], 3);
  Checkpoint checkpoint = Sample();
  EXPECT_EQ(partial.Restore(checkpoint).finished, 0);  // of the repair there is none
  WriteFileAtomically(folder.Path("p.polish.h5"), "no state");
  EXPECT_FALSE(partial.RestorePolish());
  EXPECT_TRUE(log.Contains("this level is polished from the beginning"));
  partial.RemovePolish();
  EXPECT_FALSE(std::filesystem::exists(folder.Path("p.polish.h5")));
  partial.SavePolish([&] { return state; }, true);
  partial.Remove();
  EXPECT_FALSE(std::filesystem::exists(folder.Path("p.polish.h5")));
}

TEST(PartialLevel, SavesRarelyUnlessForced) {
  const TestFolder folder;
  PartialLevel partial(folder.Path("p.h5"));
  partial.Save(Sample(), {1, {}});
  EXPECT_FALSE(std::filesystem::exists(folder.Path("p.h5")));  // nothing was at stake yet
  partial.Save(Sample(), {2, {}}, true);
  EXPECT_TRUE(std::filesystem::exists(folder.Path("p.h5")));
  partial.Remove();
  EXPECT_FALSE(std::filesystem::exists(folder.Path("p.h5")));
}

TEST(PartialLevel, AFailedWriteIsSaidAndDoesNotStopTheRepair) {
  const TestFolder folder;
  const LogCapture log;
  PartialLevel partial(folder.Path("missing/p.h5"));
  partial.Save(Sample(), {1, {}}, true);
  EXPECT_TRUE(log.Contains("the repair goes on, but could not be resumed within this level"));
}

}  // namespace
}  // namespace sparsify

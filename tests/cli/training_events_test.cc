#include "sparsity/cli/training_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/cli_test_support.h"
#include "tests/io/event_reader.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using testing::ReadCurve;

TrainingRow Row(int64_t step, double loss) {
  return {.step = step,
          .epoch = 1,
          .loss = loss,
          .top1 = 90,
          .learning_rate = 0.5,
          .sparsity = 25,
          .images_per_second = 100};
}

// What a start shows: the rows of the state it goes on from, then each new one.
void Start(const std::string& folder, std::vector<TrainingRow> restored,
           const std::vector<TrainingRow>& fresh) {
  TrainingEvents events(folder);
  for (const TrainingRow& row : fresh) {
    restored.push_back(row);
    events.Show(restored);
  }
}

TEST(TrainingEvents, EveryColumnIsACurve) {
  const TestFolder folder;
  Start(folder.Path("e"), {}, {Row(5, 2)});
  for (const auto& [tag, value] : {std::pair<const char*, float>{"training/loss", 2},
                                   {"training/top1", 90},
                                   {"training/learning_rate", 0.5},
                                   {"training/mask_sparsity", 25},
                                   {"training/images_per_second", 100}}) {
    EXPECT_THAT(ReadCurve(folder.Path("e"), tag), ElementsAre(Pair(5, value))) << tag;
  }
}

TEST(TrainingEvents, ARunThatGoesOnHasEveryStepOnce) {
  const TestFolder folder;
  const std::string path = folder.Path("e");
  // Killed behind step 15; the last state is of step 12.
  Start(path, {}, {Row(5, 1), Row(10, 2), Row(15, 3)});
  Start(path, {Row(5, 1), Row(10, 2)}, {Row(15, 4), Row(20, 5)});
  EXPECT_THAT(ReadCurve(path, "training/loss"),
              ElementsAre(Pair(5, 1), Pair(10, 2), Pair(15, 4), Pair(20, 5)));
  // Killed before anything was shown, then without a state: from the beginning.
  Start(path, {Row(5, 1), Row(10, 2)}, {});
  Start(path, {}, {Row(5, 7)});
  EXPECT_THAT(ReadCurve(path, "training/loss"), ElementsAre(Pair(5, 7)));
}

TEST(TrainingEvents, WhereNothingWasWrittenBeforeTheRestoredRowsCome) {
  const TestFolder folder;
  Start(folder.Path("e"), {Row(5, 1), Row(10, 2)}, {Row(15, 3)});
  EXPECT_THAT(ReadCurve(folder.Path("e"), "training/loss"),
              ElementsAre(Pair(5, 1), Pair(10, 2), Pair(15, 3)));
}

}  // namespace
}  // namespace sparsify

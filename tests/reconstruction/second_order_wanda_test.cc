#include <gmock/gmock.h>

#include <algorithm>

#include "reconstruction/second_order/wanda.h"
#include "second_order_support.h"

namespace sparsify {
namespace {

using namespace second_order_test;  // NOLINT(google-build-using-namespace)

// |w|·‖x‖ of one row from the raw samples.
std::vector<std::pair<double, int64_t>> Scores(const LinearCase& data, int64_t row) {
  const int64_t columns = data.weight.shape()[1];
  std::vector<std::pair<double, int64_t>> scores;
  for (int64_t c = 0; c < columns; ++c) {
    double square = 0;
    for (int64_t n = 0; n < data.inputs.shape()[0]; ++n) {
      square += double{data.inputs[n * columns + c]} * data.inputs[n * columns + c];
    }
    scores.emplace_back(std::abs(data.weight[row * columns + c]) * std::sqrt(square), c);
  }
  return scores;
}

TEST(Wanda, PrunesTheLowestScoresOfEachRowAndChangesNoWeight) {
  const LinearCase data(4, 10, 100, 3);
  WandaOptions options;
  options.sparsity = 0.3;
  const LayerSolution solution = PruneWanda(data.statistics, data.weight, options);
  for (int64_t row = 0; row < 4; ++row) {
    auto scores = Scores(data, row);
    std::sort(scores.begin(), scores.end());
    for (size_t i = 0; i < 10; ++i) {
      const int64_t at = row * 10 + scores[i].second;
      EXPECT_EQ(solution.mask[at], i >= 3);
      EXPECT_EQ(solution.weight[at], i >= 3 ? data.weight[at] : 0.0F);
    }
  }
}

TEST(Wanda, BiasMatchesTheMeans) {
  const LinearCase data(3, 8, 100, 4);
  const LayerSolution solution = PruneWanda(data.statistics, data.weight);
  for (int64_t row = 0; row < 3; ++row) {
    double difference = 0;
    for (int64_t n = 0; n < 100; ++n) {
      double y = solution.bias[row];
      for (int64_t c = 0; c < 8; ++c) {
        y += double{solution.weight[row * 8 + c]} * data.inputs[n * 8 + c];
      }
      difference += y - data.targets[n * 3 + row];
    }
    EXPECT_NEAR(difference / 100, 0, 1e-4);
  }
}

TEST(Wanda, NmKeepsTheBestOfEachGroup) {
  const LinearCase data(3, 10, 100, 5);
  WandaOptions options;
  options.pattern = Nm(1, 4);
  const LayerSolution solution = PruneWanda(data.statistics, data.weight, options);
  for (int64_t row = 0; row < 3; ++row) {
    const auto scores = Scores(data, row);
    for (int64_t first : {0, 4, 8}) {
      const int64_t end = std::min<int64_t>(first + 4, 10);
      const auto best = std::max_element(scores.begin() + first, scores.begin() + end);
      for (int64_t c = first; c < end; ++c) {
        EXPECT_EQ(solution.mask[row * 10 + c], c == best->second);
      }
    }
  }
}

TEST(Wanda, BlocksAreComparedBySumsOfSquaresInABandOfRows) {
  const LinearCase data(4, 6, 100, 6);
  WandaOptions options;
  options.pattern = Block(2, 2);
  options.sparsity = 1.0 / 3;
  const LayerSolution solution = PruneWanda(data.statistics, data.weight, options);
  for (int64_t top : {0, 2}) {
    std::vector<double> sums(3, 0);
    for (int64_t row = top; row < top + 2; ++row) {
      for (const auto& [score, c] : Scores(data, row)) sums[At(c / 2)] += score * score;
    }
    const auto least = std::min_element(sums.begin(), sums.end()) - sums.begin();
    for (int64_t i = 0; i < 12; ++i) {
      EXPECT_EQ(solution.mask[top * 6 + i], i % 6 / 2 != least);
    }
  }
}

TEST(Wanda, NmGroupsRunAlongChannelsAtEachTap) {
  Node node;
  node.name = "conv";
  node.type = OpType::kConv;
  Layer layer;
  layer.name = "conv";
  layer.weight_shape = {2, 4, 2, 2};
  LayerStatistics statistics(node, layer);
  statistics.Add(RandomTensor({3, 4, 5, 5}, 1), RandomTensor({3, 2, 4, 4}, 2));
  WandaOptions options;
  options.pattern = Nm(2, 4);
  const Mask mask = PruneWanda(statistics, RandomTensor({2, 4, 2, 2}, 3), options).mask;
  for (int64_t o = 0; o < 2; ++o) {
    for (int64_t tap = 0; tap < 4; ++tap) {
      int kept = 0;
      for (int64_t i = 0; i < 4; ++i) kept += mask[(o * 4 + i) * 4 + tap] ? 1 : 0;
      EXPECT_EQ(kept, 2);
    }
  }
}

TEST(Wanda, AShareThatIsNoWholeNumberIsMetByTheRowsTogether) {
  const LinearCase data(3, 5, 100, 9);
  const Mask mask = PruneWanda(data.statistics, data.weight).mask;
  std::vector<int64_t> pruned;
  for (int64_t row = 0; row < 3; ++row) {
    const std::vector<bool> keep = RowOfMask(mask, row);
    pruned.push_back(std::count(keep.begin(), keep.end(), false));
  }
  EXPECT_THAT(pruned, ::testing::ElementsAre(3, 2, 3));
}

TEST(Wanda, RefitLowersTheLoss) {
  const LinearCase data(4, 20, 200, 7);
  WandaOptions options;
  const LayerSolution plain = PruneWanda(data.statistics, data.weight, options);
  options.refit = true;
  const LayerSolution refit = PruneWanda(data.statistics, data.weight, options);
  EXPECT_EQ(plain.mask, refit.mask);
  EXPECT_LT(refit.loss, plain.loss);
}

}  // namespace
}  // namespace sparsify

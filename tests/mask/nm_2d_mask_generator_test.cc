#include "sparsity/mask/nm_2d_mask_generator.h"

#include <cmath>
#include <set>

#include "sparsity/mask/nm_mask_generator.h"
#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

constexpr MaskContext kContext{.layer_name = "layer"};

// A tile as a matrix of its own.
using Matrix = std::vector<std::vector<double>>;

Tensor AsWeight(const Matrix& rows) {
  Tensor weight({static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())});
  int64_t at = 0;
  for (const auto& row : rows) {
    for (const double w : row) weight[at++] = static_cast<float>(w);
  }
  return weight;
}

// Greatest sum, and the number of arrangements, over all ways to keep weights row by row such that
// no row and no column has more than two and the number of kept ones is the greatest possible.
struct Exhausted {
  size_t kept = 0;
  double sum = 0;
  size_t arrangements = 0;
};

void Extend(const Matrix& tile, size_t row, std::vector<int>& columns, size_t kept, double sum,
            Exhausted& best) {
  if (row == tile.size()) {
    if (kept > best.kept) best = {kept, sum, 0};
    if (kept < best.kept) return;
    best.sum = std::max(best.sum, sum);
    ++best.arrangements;
    return;
  }
  const size_t width = tile[row].size();
  Extend(tile, row + 1, columns, kept, sum, best);
  for (size_t a = 0; a < width; ++a) {
    if (columns[a] == 2) continue;
    ++columns[a];
    Extend(tile, row + 1, columns, kept + 1, sum + std::abs(tile[row][a]), best);
    for (size_t b = a + 1; b < width; ++b) {
      if (columns[b] == 2) continue;
      ++columns[b];
      const double both = std::abs(tile[row][a]) + std::abs(tile[row][b]);
      Extend(tile, row + 1, columns, kept + 2, sum + both, best);
      --columns[b];
    }
    --columns[a];
  }
}

Exhausted Exhaust(const Matrix& tile) {
  Exhausted best;
  std::vector<int> columns(tile[0].size(), 0);
  Extend(tile, 0, columns, 0, 0, best);
  return best;
}

// Repeatedly takes the largest weight that still has room; of equal ones the later.
std::set<size_t> NaiveGreedy(const Matrix& tile) {
  const size_t width = tile[0].size();
  std::set<size_t> kept;
  const auto has_room = [&](size_t at) {
    size_t row = 0;
    size_t column = 0;
    for (const size_t other : kept) {
      row += other / width == at / width ? 1 : 0;
      column += other % width == at % width ? 1 : 0;
    }
    return row < 2 && column < 2 && !kept.contains(at);
  };
  for (;;) {
    double largest = -1;
    size_t chosen = 0;
    for (size_t at = 0; at < tile.size() * width; ++at) {
      const double magnitude = std::abs(tile[at / width][at % width]);
      if (has_room(at) && magnitude >= largest) {
        largest = magnitude;
        chosen = at;
      }
    }
    if (largest < 0) return kept;
    kept.insert(chosen);
  }
}

Matrix RandomTile(Random& random, size_t rows, size_t columns, bool tied) {
  Matrix tile(rows, std::vector<double>(columns));
  for (auto& row : tile) {
    for (double& w : row) {
      w = tied ? static_cast<double>(random.Below(5)) - 2 : static_cast<float>(random.Normal());
    }
  }
  return tile;
}

double SumOfKept(const Tensor& weight, const Mask& mask) {
  double sum = 0;
  for (int64_t i = 0; i < weight.size(); ++i) sum += mask[i] ? std::abs(weight[i]) : 0.0;
  return sum;
}

TEST(NM2DMaskGenerator, BestKeepsTheMostMagnitudeOfAllArrangements) {
  Random random(5);
  const NM2DMaskGenerator generator({.search = "best"});
  for (size_t rows = 1; rows <= 4; ++rows) {
    for (size_t columns = 1; columns <= 4; ++columns) {
      for (int round = 0; round < 20; ++round) {
        const Matrix tile = RandomTile(random, rows, columns, round % 2 == 0);
        const Exhausted best = Exhaust(tile);
        const Tensor weight = AsWeight(tile);
        const Mask mask = generator.Generate(weight, 0.5, kContext);
        ASSERT_EQ(mask.CountKept(), static_cast<int64_t>(best.kept));
        ASSERT_NEAR(SumOfKept(weight, mask), best.sum, 1e-12);
      }
    }
  }
}

TEST(NM2DMaskGenerator, AFullTileHasNinetyArrangements) {
  const Exhausted best = Exhaust(Matrix(4, std::vector<double>(4, 1.0)));
  EXPECT_EQ(best.kept, 8U);
  EXPECT_EQ(best.arrangements, 90U);
}

TEST(NM2DMaskGenerator, GreedyTakesTheLargestWithRoom) {
  Random random(6);
  const NM2DMaskGenerator generator({.search = "greedy"});
  for (size_t rows = 1; rows <= 4; ++rows) {
    for (size_t columns = 1; columns <= 4; ++columns) {
      for (int round = 0; round < 20; ++round) {
        const Matrix tile = RandomTile(random, rows, columns, round % 2 == 0);
        const Mask mask = generator.Generate(AsWeight(tile), 0.5, kContext);
        std::set<size_t> kept;
        for (int64_t i = 0; i < mask.size(); ++i) {
          if (mask[i]) kept.insert(static_cast<size_t>(i));
        }
        ASSERT_EQ(kept, NaiveGreedy(tile));
      }
    }
  }
}

TEST(NM2DMaskGenerator, GreedyCanEndAWeightShort) {
  // The three rows and columns with 6 fill up among themselves, and the corner is left alone.
  const Tensor weight = AsWeight({{6, 6, 1, 0}, {6, 1, 6, 0}, {1, 6, 6, 0}, {0, 0, 0, 9}});
  const NM2DMaskGenerator greedy({.search = "greedy"});
  EXPECT_EQ(greedy.Generate(weight, 0.5, kContext).CountKept(), 7);
  EXPECT_EQ(greedy.Achievable(weight.shape(), 0.5, kContext), 0.5);
  EXPECT_EQ(NM2DMaskGenerator({}).Generate(weight, 0.5, kContext).CountKept(), 8);
}

// The O×I plane of one tap with its channels exchanged.
Tensor Transposed(const Tensor& weight) {
  const Shape& shape = weight.shape();
  const int64_t taps = weight.size() / (shape[0] * shape[1]);
  Tensor result({shape[1], shape[0], taps, 1});
  for (int64_t o = 0; o < shape[0]; ++o) {
    for (int64_t i = 0; i < shape[1]; ++i) {
      for (int64_t k = 0; k < taps; ++k) {
        result[(i * shape[0] + o) * taps + k] = weight[(o * shape[1] + i) * taps + k];
      }
    }
  }
  return result;
}

TEST(NM2DMaskGenerator, WeightAndTransposeAreBothTwoOfFour) {
  const NMMaskGenerator two_of_four({.n = 2, .m = 4});
  Random random(7);
  for (const char* search : {"best", "greedy"}) {
    const NM2DMaskGenerator generator({.search = search});
    for (int round = 0; round < 20; ++round) {
      Tensor weight = testing::RandomWeight(testing::RandomShape(random), random.NextBits());
      ApplyMask(generator.Generate(weight, 0.5, kContext), weight);
      // A 2:4 mask takes nothing from what is 2:4 already.
      for (Tensor pruned : {weight, Transposed(weight)}) {
        const int64_t zeros = CountZeros(pruned);
        ApplyMask(two_of_four.Generate(pruned, 0.5, kContext), pruned);
        ASSERT_EQ(CountZeros(pruned), zeros) << search << " " << pruned.shape().ToString();
      }
    }
  }
}

TEST(NM2DMaskGenerator, TilesStayInsideTheGroupsOfAConvolution) {
  // Two groups of 6 output channels equal two convolutions of their own.
  const Tensor both = testing::RandomWeight({12, 5, 2, 1}, 8);
  const int64_t half = both.size() / 2;
  for (const char* search : {"best", "greedy"}) {
    const NM2DMaskGenerator generator({.search = search});
    const MaskContext grouped{.layer_name = "layer", .groups = 2};
    const Mask mask = generator.Generate(both, 0.5, grouped);
    for (int64_t g = 0; g < 2; ++g) {
      Tensor own({6, 5, 2, 1});
      std::copy_n(both.data() + g * half, half, own.data());
      const Mask expected = generator.Generate(own, 0.5, kContext);
      for (int64_t i = 0; i < half; ++i) ASSERT_EQ(mask[g * half + i], expected[i]);
    }
    EXPECT_LE(generator.Achievable(both.shape(), 0.5, grouped), mask.Sparsity() + 1e-12);
  }
}

TEST(NM2DMaskGenerator, AFullTensorIsHalfSparse) {
  const Tensor weight = testing::RandomWeight({16, 32, 3, 3}, 9);
  const NM2DMaskGenerator best({});
  EXPECT_EQ(best.Generate(weight, 0.9, kContext).Sparsity(), 0.5);
  EXPECT_EQ(best.Achievable(weight.shape(), 0.9, kContext), 0.5);
  const Mask greedy = NM2DMaskGenerator({.search = "greedy"}).Generate(weight, 0.9, kContext);
  EXPECT_GE(greedy.Sparsity(), 0.5);
  EXPECT_LT(greedy.Sparsity(), 0.54);
}

}  // namespace
}  // namespace sparsify

#include "sparsity/mask/nuclear_mask_generator.h"

#include <cmath>

#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

using Matrix = std::vector<std::vector<double>>;  // rows

// Sum of singular values by one-sided Jacobi rotations of the rows (Hestenes).
double NaiveNuclearNorm(Matrix a) {
  for (int sweep = 0; sweep < 60; ++sweep) {
    for (size_t p = 0; p < a.size(); ++p) {
      for (size_t q = p + 1; q < a.size(); ++q) {
        double pp = 0;
        double qq = 0;
        double pq = 0;
        for (size_t i = 0; i < a[p].size(); ++i) {
          pp += a[p][i] * a[p][i];
          qq += a[q][i] * a[q][i];
          pq += a[p][i] * a[q][i];
        }
        if (std::abs(pq) <= 1e-300) continue;
        const double angle = 0.5 * std::atan2(2 * pq, pp - qq);
        for (size_t i = 0; i < a[p].size(); ++i) {
          const double x = a[p][i];
          const double y = a[q][i];
          a[p][i] = std::cos(angle) * x + std::sin(angle) * y;
          a[q][i] = std::cos(angle) * y - std::sin(angle) * x;
        }
      }
    }
  }
  double sum = 0;
  for (const auto& row : a) {
    double square = 0;
    for (const double v : row) square += v * v;
    sum += std::sqrt(square);
  }
  return sum;
}

std::vector<double> NaiveDrops(const Tensor& weight, int64_t rows) {
  const int64_t columns = weight.size() / rows;
  Matrix matrix;
  for (int64_t r = 0; r < rows; ++r) {
    matrix.emplace_back(weight.data() + r * columns, weight.data() + (r + 1) * columns);
  }
  const double whole = NaiveNuclearNorm(matrix);
  std::vector<double> drops;
  for (int64_t r = 0; r < rows; ++r) {
    Matrix rest = matrix;
    rest.erase(rest.begin() + r);
    drops.push_back(whole - NaiveNuclearNorm(rest));
  }
  return drops;
}

void ExpectDrops(const Tensor& weight, double tolerance) {
  const int64_t rows = weight.shape()[0];
  const auto expected = NaiveDrops(weight, rows);
  const auto actual = NuclearNormDrops(weight.data(), rows, weight.size() / rows);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], tolerance)
        << "row " << i << " of " << weight.shape().ToString();
  }
}

TEST(NuclearNormDrops, EqualJacobiOnWideTallAndSquareMatrices) {
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 5}, {5, 1}, {4, 9}, {9, 4}, {7, 7}, {12, 40}, {30, 8}}) {
    ExpectDrops(testing::RandomWeight({rows, columns}, static_cast<uint64_t>(rows * 100 + columns)),
                rows <= columns ? 1e-10 : 1e-6);
  }
}

TEST(NuclearNormDrops, KnowSingularMatrices) {
  Tensor duplicate = testing::RandomWeight({5, 8}, 3);
  for (int64_t i = 0; i < 8; ++i) duplicate[16 + i] = duplicate[i];  // row 2 = row 0
  ExpectDrops(duplicate, 1e-6);
  Tensor zero_row = testing::RandomWeight({5, 8}, 4);
  for (int64_t i = 0; i < 8; ++i) zero_row[8 + i] = 0;
  ExpectDrops(zero_row, 1e-6);
  EXPECT_EQ(NuclearNormDrops(Tensor(Shape{3, 4}).data(), 3, 4), std::vector<double>(3, 0.0));
}

TEST(NuclearNormDrops, HaveAClosedFormForOrthogonalRows) {
  // Orthogonal rows of norms 1e-3, 1, 1e3: each drop is the row's own norm.
  const Tensor weight({3, 4}, {1e-3F, 0, 0, 0, 0, 0.6F, 0.8F, 0, 0, 0, 0, 1e3F});
  const auto drops = NuclearNormDrops(weight.data(), 3, 4);
  EXPECT_NEAR(drops[0], 1e-3, 1e-9);
  EXPECT_NEAR(drops[1], 1, 1e-7);
  EXPECT_NEAR(drops[2], 1e3, 1e-7);
}

TEST(NuclearMaskGenerator, PrunesTheSmallestDrops) {
  const Tensor weight = testing::RandomWeight({10, 4, 3, 3}, 5);
  const auto pruned = testing::NaiveSmallest(NaiveDrops(weight, 10), 4);
  testing::ExpectPruned(NuclearMaskGenerator().Generate(weight, 0.4, {.layer_name = "layer"}),
                        testing::PerWeight(pruned, 36));
}

}  // namespace
}  // namespace sparsify

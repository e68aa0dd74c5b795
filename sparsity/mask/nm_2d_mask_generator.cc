#include "sparsity/mask/nm_2d_mask_generator.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/mask/weight_layout.h"

namespace sparsify {
namespace {

constexpr int64_t kTile = 4;
constexpr int64_t kKept = 2;

// One bit a weight that stays: row r, column c of the tile at bit 4r + c.
using Arrangement = uint16_t;

// Where a tile lies and how much of it the weight has.
struct TilePlace {
  int64_t output;
  int64_t input;
  int64_t tap;
  int64_t rows;
  int64_t columns;
};

using Magnitudes = std::array<double, kTile * kTile>;  // row r, column c at 4r + c

size_t At(int64_t row, int64_t column) { return static_cast<size_t>(row * kTile + column); }

int64_t KeptOf(int64_t rows, int64_t columns) {
  return std::min(rows * std::min(kKept, columns), columns * std::min(kKept, rows));
}

unsigned Row(Arrangement bits, int64_t row) { return bits >> (kTile * row) & 0xFU; }

bool Allowed(Arrangement bits, int64_t rows, int64_t columns) {
  std::array<int64_t, kTile> in_column = {};
  for (int64_t r = 0; r < kTile; ++r) {
    const unsigned row = Row(bits, r);
    if (std::popcount(row) > kKept || row >= 1U << columns || (r >= rows && row != 0)) return false;
    for (int64_t c = 0; c < kTile; ++c) in_column[static_cast<size_t>(c)] += row >> c & 1U;
  }
  return *std::max_element(in_column.begin(), in_column.end()) <= kKept &&
         std::popcount(bits) == KeptOf(rows, columns);
}

// Every arrangement of a tile of this size, those that keep later weights first.
std::vector<Arrangement> Arrangements(int64_t rows, int64_t columns) {
  std::vector<Arrangement> all;
  for (int bits = 0xFFFF; bits > 0; --bits) {
    const auto arrangement = static_cast<Arrangement>(bits);
    if (Allowed(arrangement, rows, columns)) all.push_back(arrangement);
  }
  return all;
}

const std::vector<Arrangement>& ArrangementsOf(int64_t rows, int64_t columns) {
  static const auto tables = [] {
    std::array<std::vector<Arrangement>, kTile * kTile> made;
    for (int64_t r = 1; r <= kTile; ++r) {
      for (int64_t c = 1; c <= kTile; ++c) made[At(r - 1, c - 1)] = Arrangements(r, c);
    }
    return made;
  }();
  return tables[At(rows - 1, columns - 1)];
}

Arrangement Best(const Magnitudes& tile, const TilePlace& place) {
  std::array<std::array<double, 16>, kTile> row_sums = {};  // by row and its four bits
  for (int64_t r = 0; r < kTile; ++r) {
    for (unsigned bits = 0; bits < 16; ++bits) {
      double sum = 0;
      for (int64_t c = 0; c < kTile; ++c) sum += (bits >> c & 1U) != 0 ? tile[At(r, c)] : 0;
      row_sums[static_cast<size_t>(r)][bits] = sum;
    }
  }
  Arrangement best = 0;
  double most = -1;
  for (const Arrangement bits : ArrangementsOf(place.rows, place.columns)) {
    const double sum = (row_sums[0][Row(bits, 0)] + row_sums[1][Row(bits, 1)]) +
                       (row_sums[2][Row(bits, 2)] + row_sums[3][Row(bits, 3)]);
    if (sum > most) {
      most = sum;
      best = bits;
    }
  }
  return best;
}

Arrangement Greedy(const Magnitudes& tile, const TilePlace& place) {
  std::array<std::pair<double, size_t>, kTile * kTile> order;
  size_t count = 0;
  for (int64_t r = 0; r < place.rows; ++r) {
    for (int64_t c = 0; c < place.columns; ++c) order[count++] = {tile[At(r, c)], At(r, c)};
  }
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), std::greater<>());
  std::array<int64_t, kTile> in_row = {};
  std::array<int64_t, kTile> in_column = {};
  unsigned kept = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t at = order[i].second;
    int64_t& row = in_row[at / kTile];
    int64_t& column = in_column[at % kTile];
    if (row == kKept || column == kKept) continue;
    ++row;
    ++column;
    kept |= 1U << at;
  }
  return static_cast<Arrangement>(kept);
}

// Output channels that tiles may span.
int64_t GroupOutputs(const WeightLayout& layout, const MaskContext& context) {
  const bool fits = context.groups > 0 && layout.outputs % context.groups == 0;
  return fits ? layout.outputs / context.groups : layout.outputs;
}

template <class Visit>
void ForEachTile(const WeightLayout& layout, int64_t group_outputs, const Visit& visit) {
  for (int64_t group = 0; group < layout.outputs; group += group_outputs) {
    for (int64_t o = 0; o < group_outputs; o += kTile) {
      for (int64_t i = 0; i < layout.inputs; i += kTile) {
        const int64_t rows = std::min(kTile, group_outputs - o);
        const int64_t columns = std::min(kTile, layout.inputs - i);
        for (int64_t k = 0; k < layout.taps; ++k) visit(TilePlace{group + o, i, k, rows, columns});
      }
    }
  }
}

}  // namespace

NM2DMaskGenerator::NM2DMaskGenerator(const NM2DMaskOptions& options)
    : best_(options.search == "best") {
  if (!best_ && options.search != "greedy") {
    FailUsage("mask_generator.kwargs.search", "\"{}\" is neither greedy nor best", options.search);
  }
}

Mask NM2DMaskGenerator::Generate(const Tensor& weight, double sparsity,
                                 const MaskContext& context) const {
  const WeightLayout layout = CheckedLayout(weight, sparsity, context);
  Mask mask(weight.shape());
  ForEachTile(layout, GroupOutputs(layout, context), [&](const TilePlace& place) {
    const auto index = [&](int64_t r, int64_t c) {
      return layout.Index(place.output + r, place.input + c, place.tap);
    };
    Magnitudes tile = {};
    for (int64_t r = 0; r < place.rows; ++r) {
      for (int64_t c = 0; c < place.columns; ++c) tile[At(r, c)] = std::abs(weight[index(r, c)]);
    }
    const unsigned kept = best_ ? Best(tile, place) : Greedy(tile, place);
    for (int64_t r = 0; r < place.rows; ++r) {
      for (int64_t c = 0; c < place.columns; ++c) {
        if ((kept >> At(r, c) & 1U) == 0) mask.Set(index(r, c), false);
      }
    }
  });
  return mask;
}

double NM2DMaskGenerator::Achievable(const Shape& weight, double /*sparsity*/,
                                     const MaskContext& context) const {
  const WeightLayout layout = LayoutOf(weight, context.layer_name);
  if (layout.size() == 0) return 0;
  int64_t kept = 0;
  ForEachTile(layout, GroupOutputs(layout, context),
              [&](const TilePlace& place) { kept += KeptOf(place.rows, place.columns); });
  return 1 - static_cast<double>(kept) / static_cast<double>(layout.size());
}

}  // namespace sparsify

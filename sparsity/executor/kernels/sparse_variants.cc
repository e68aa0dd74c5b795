// The table of variants: what exists, what is tested and benched, and what is worth timing.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sparsity/executor/kernels/sparse_conv.h"
#include "sparsity/executor/kernels/tile_kernel.h"
#include "sparsity/executor/kernels/tile_plan.h"

namespace sparsify {
namespace {

struct VariantRow {
  Isa isa;
  int rows;
  int vectors;
  int taps;
  int tile_vectors;
  bool packed;
  int block_kb;
  double min_density;  // worth timing between these
  double max_density;
  bool moving = false;
};

constexpr int kWhole = 1 << 20;  // a budget that splits no layer

constexpr std::array kVariants = {
    VariantRow{Isa::kAvx512, 4, 7, 1, 28, true, 40, 0.2, 1.0},
    VariantRow{Isa::kAvx512, 4, 7, 1, 28, true, 40, 0.2, 1.0, true},
    VariantRow{Isa::kAvx512, 4, 7, 1, 28, true, 80, 0.2, 1.0},
    VariantRow{Isa::kAvx512, 4, 7, 1, 28, true, 80, 0.2, 1.0, true},
    VariantRow{Isa::kAvx512, 4, 7, 1, 28, true, 160, 0.2, 1.0},
    VariantRow{Isa::kAvx512, 4, 6, 1, 24, true, 40, 0.2, 1.0},
    VariantRow{Isa::kAvx512, 6, 4, 1, 16, true, 40, 0.2, 1.0},
    VariantRow{Isa::kAvx512, 4, 7, 1, 14, true, 40, 0.2, 1.0},
    VariantRow{Isa::kAvx512, 4, 7, 1, 14, true, 40, 0.2, 1.0, true},
    VariantRow{Isa::kAvx512, 2, 14, 1, 28, true, 40, 0.08, 0.6},
    VariantRow{Isa::kAvx512, 2, 14, 1, 28, true, 40, 0.08, 0.6, true},
    VariantRow{Isa::kAvx512, 2, 14, 1, 28, true, 80, 0.08, 0.6},
    VariantRow{Isa::kAvx512, 2, 12, 3, 24, true, 40, 0.05, 0.6},
    VariantRow{Isa::kAvx512, 1, 28, 3, 28, true, 40, 0.02, 0.6},
    VariantRow{Isa::kAvx512, 1, 28, 3, 28, true, 40, 0.02, 0.6, true},
    VariantRow{Isa::kAvx512, 1, 28, 3, 28, true, 64, 0.0, 0.4},
    VariantRow{Isa::kAvx512, 1, 14, 3, 14, true, 40, 0.0, 0.4},
    VariantRow{Isa::kAvx512, 1, 14, 3, 14, true, 40, 0.0, 0.4, true},
    VariantRow{Isa::kAvx512, 1, 14, 3, 14, true, 64, 0.0, 0.4},
    VariantRow{Isa::kAvx512, 1, 14, 1, 14, true, 40, 0.0, 0.4},
    VariantRow{Isa::kAvx512, 1, 14, 1, 14, true, 96, 0.0, 0.4},
    VariantRow{Isa::kAvx512, 2, 14, 1, 14, true, 40, 0.0, 0.4},
    VariantRow{Isa::kAvx512, 2, 14, 1, 14, true, 40, 0.0, 0.4, true},
    VariantRow{Isa::kAvx512, 2, 14, 1, 14, true, 64, 0.0, 0.4},
    VariantRow{Isa::kAvx512, 1, 28, 1, 28, true, 40, 0.0, 0.4},
    VariantRow{Isa::kAvx512, 1, 28, 1, 28, true, 64, 0.0, 0.3},
    VariantRow{Isa::kAvx512, 4, 7, 1, 7, false, 40, 0.2, 1.0},
    VariantRow{Isa::kAvx512, 4, 7, 1, 7, false, kWhole, 0.2, 1.0},
    VariantRow{Isa::kAvx512, 6, 4, 1, 4, false, kWhole, 0.2, 1.0},
    VariantRow{Isa::kAvx512, 2, 14, 1, 14, false, 40, 0.05, 0.7},
    VariantRow{Isa::kAvx512, 2, 14, 1, 14, false, kWhole, 0.05, 0.7},
    VariantRow{Isa::kAvx512, 1, 28, 1, 28, false, 40, 0.0, 0.5},
    VariantRow{Isa::kAvx512, 1, 28, 1, 28, false, kWhole, 0.0, 0.5},
    VariantRow{Isa::kAvx2, 3, 4, 1, 16, true, 32, 0.25, 1.0},
    VariantRow{Isa::kAvx2, 2, 6, 1, 24, true, 32, 0.05, 0.8},
    VariantRow{Isa::kAvx2, 1, 12, 3, 24, true, 32, 0.0, 0.6},
    VariantRow{Isa::kAvx2, 1, 12, 1, 24, true, 32, 0.0, 0.5},
    VariantRow{Isa::kAvx2, 3, 4, 1, 4, false, kWhole, 0.25, 1.0},
    VariantRow{Isa::kAvx2, 2, 6, 1, 6, false, kWhole, 0.05, 0.8},
    VariantRow{Isa::kAvx2, 1, 12, 1, 12, false, kWhole, 0.0, 0.5},
    VariantRow{Isa::kScalar, 4, 4, 1, 16, true, 32, 0.25, 1.0},
    VariantRow{Isa::kScalar, 1, 16, 3, 16, true, 32, 0.0, 0.5},
    VariantRow{Isa::kScalar, 1, 16, 1, 16, true, 32, 0.0, 0.5},
    VariantRow{Isa::kScalar, 1, 16, 1, 16, false, kWhole, 0.0, 0.5},
};

int VectorFloats(Isa isa) { return isa == Isa::kAvx512 ? 16 : 8; }

const char* Name(Isa isa) {
  if (isa == Isa::kAvx512) return "avx512";
  return isa == Isa::kAvx2 ? "avx2" : "scalar";
}

SparseVariant Bind(const VariantRow& row, bool dense) {
  SparseVariant variant{
      "",         row.isa,    row.rows,     row.vectors, row.taps, row.tile_vectors,
      row.packed, row.moving, row.block_kb, dense};
  const std::string block = row.block_kb == kWhole ? "whole" : fmt::format("{}K", row.block_kb);
  variant.name = fmt::format(
      "{}{}x{}{} {} {} {}", dense ? "dense " : "", row.rows, row.vectors,
      row.taps > 1 ? fmt::format("k{}", row.taps) : "",
      row.packed ? fmt::format("{}{}", row.moving ? "moving" : "packed", row.tile_vectors)
                 : "direct",
      block, Name(row.isa));
  return variant;
}

bool Applies(const VariantRow& row, const ConvGeometry& geometry, Isa isa) {
  if (row.isa != isa) return false;
  if (row.taps > 1 && (row.taps != geometry.kernel_h || row.taps != geometry.kernel_w))
    return false;
  if (!row.packed) return CanFlatten(geometry, VectorFloats(isa));
  return true;
}

/// Rows that no tile of the layer could fill are a waste.
bool Promising(const VariantRow& row, const ConvGeometry& geometry, double density) {
  const int64_t channels = geometry.out_channels / geometry.groups;
  if (row.rows > 1 && row.rows > channels) return false;
  if (row.packed && CanFlatten(geometry, VectorFloats(row.isa))) return false;
  return density >= row.min_density && density <= row.max_density;
}

}  // namespace

std::vector<SparseVariant> AllSparseVariants(const ConvGeometry& geometry, Isa isa) {
  std::vector<SparseVariant> variants;
  for (const VariantRow& row : kVariants) {
    if (Applies(row, geometry, isa)) variants.push_back(Bind(row, false));
  }
  return variants;
}

std::vector<SparseVariant> SparseVariants(const ConvGeometry& geometry, double density, Isa isa) {
  std::vector<SparseVariant> variants;
  for (const VariantRow& row : kVariants) {
    if (Applies(row, geometry, isa) && Promising(row, geometry, density)) {
      variants.push_back(Bind(row, false));
    }
  }
  if (variants.empty()) variants.push_back(AllSparseVariants(geometry, isa).back());
  return variants;
}

SparseVariant DenseVariant(const ConvGeometry& geometry, Isa isa) {
  for (const VariantRow& row : kVariants) {
    const bool direct = CanFlatten(geometry, VectorFloats(isa));
    if (Applies(row, geometry, isa) && row.packed != direct) return Bind(row, true);
  }
  return {};
}

}  // namespace sparsify

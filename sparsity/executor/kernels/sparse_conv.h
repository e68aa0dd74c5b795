// Convolution by a pruned weight over the lane layout: register tiles of output channels ×
// positions, the columns of a weight grouped by which rows of the tile they feed.
//
// The method is that of Sparse Register Tiling (Wilkinson et al., PLDI 2023), extended by
// packing of input tiles, input-channel blocking and prefetch. There is one table of
// variants (sparse_variants.cc): it declares, selects, tests and benches them. No variant
// wins everywhere, so a plan times those that SparseVariants returns.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sparsity/executor/isa.h"
#include "sparsity/executor/kernels/conv_geometry.h"
#include "sparsity/executor/kernels/epilogue.h"
#include "sparsity/executor/kernels/lane_tensor.h"

namespace sparsify {

/// One way to run a convolution; a row of the variant table bound to an instruction set.
struct SparseVariant {
  std::string name;  // "4x7 packed 40K avx512": unique among the variants of a geometry
  Isa isa = Isa::kScalar;
  int rows = 1;          // output channels of a register tile
  int vectors = 1;       // vectors of positions of a register tile, at most
  int taps = 1;          // 1, or 3: the taps of a kernel column share their loads
  int tile_vectors = 1;  // vectors of positions of a packed tile, at most
  bool packed = true;    // tiles are copied into scratch; false: read where they lie
  bool moving = false;   // copied by the kernel while it computes the block before
  int block_kb = 40;     // input of one channel block of a tile, at most about this
  bool dense = false;    // zeros are multiplied too: for weights without zeros
};

/// Variants worth timing for this geometry and density (nonzeros / weights), most promising
/// first; at least one, whatever the geometry.
std::vector<SparseVariant> SparseVariants(const ConvGeometry& geometry, double density, Isa isa);

/// Every variant able to run the geometry, for tests and benches.
std::vector<SparseVariant> AllSparseVariants(const ConvGeometry& geometry, Isa isa);

/// The variant for weights without zeros: grouped and first convolutions in this layout.
SparseVariant DenseVariant(const ConvGeometry& geometry, Isa isa);

class SparseConv {
 public:
  /// weight: out×(in/groups)×kernel_h×kernel_w floats, pruned where zero; bias: out floats or
  /// null. Both are copied. Throws Error when the geometry is invalid or the variant cannot
  /// run it.
  SparseConv(const ConvGeometry& geometry, const float* weight, const float* bias,
             const Epilogue& epilogue, const SparseVariant& variant, int threads);
  ~SparseConv();
  SparseConv(SparseConv&&) noexcept;
  SparseConv& operator=(SparseConv&&) noexcept;

  /// `in`, `residual` (null unless the epilogue adds one) and `out` have the shapes of the
  /// geometry; `out` overlaps neither. `scratch`: scratch_bytes() bytes, 64-byte aligned,
  /// private to this call. `first_row`: of the output, for a geometry that is a band. No
  /// allocation.
  void Run(const LaneView& in, const LaneView* residual, const LaneView& out, void* scratch,
           int64_t first_row = 0) const noexcept;

  int64_t scratch_bytes() const;
  /// Bytes of values, offsets, counts, bias and prefetch lists as executed.
  int64_t constant_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sparsify

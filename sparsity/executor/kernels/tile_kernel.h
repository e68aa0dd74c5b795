// The inner loop of the sparse convolution: a number of output channels × a number of vectors
// of positions, accumulated over the columns of one block of input channels.
//
// A column is what one input value (input channel, kernel row, kernel column) contributes to
// the rows of a tile; with three taps, what the three values of a kernel column contribute.
// Its *pattern* has bit (row · taps + tap) set where the weight is not zero. Columns are
// sorted by pattern; for every pattern there is one counted loop without a branch on data.
// Between these loops the kernel may copy what the next block reads (move_plan.h).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sparsity/executor/isa.h"
#include "sparsity/executor/kernels/epilogue.h"

namespace sparsify {

/// Patterns of `bits` rows and taps; pattern 0 has no columns.
constexpr int PatternCount(int bits) { return (1 << bits) - 1; }

/// What a kernel is specialised for. Offsets and strides are bytes.
struct TileKernelSpec {
  /// One vector of the tile.
  struct Vector {
    int32_t in = 0;        // from the column's first vector
    int32_t out = 0;       // from the tile's first output
    int32_t residual = 0;  // from the tile's first residual
    bool masked = false;   // only mask_floats of each part exist

    bool operator==(const Vector&) const = default;
  };

  int rows = 1;
  int taps = 1;
  int vector_floats = 8;
  int parts = 1;
  int mask_floats = 0;
  bool dense = false;           // only the pattern with all bits has columns
  std::vector<Vector> vectors;  // rows × vectors accumulators
  int32_t tap_in = 0;           // from one tap to the next
  int32_t out_pair = 0;         // from a vector's first part to its second
  int32_t residual_pair = 0;
  int32_t column_bytes = 0;  // of one unit of a column's offset
  int64_t out_stride = 0;    // between output channels
  int64_t residual_stride = 0;
  int in_prefetches = 0;  // per row group
  int out_prefetches = 0;
  bool prefetch_residual = false;
  std::vector<int> value_prefetches;  // lines ahead of the values, per pattern; empty: none
  int moves = 0;                      // per row group; kAvx512 only
  int32_t move_pair = 0;              // as MovePair says
  Epilogue epilogue;

  int bits() const { return rows * taps; }
  bool operator==(const TileKernelSpec&) const = default;
};

/// One vector of scratch and where it comes from.
struct TileMove {
  int32_t from = 0;   // bytes from the base
  uint32_t mask = 0;  // bit i: float i of the vector exists; else it becomes zero

  bool operator==(const TileMove&) const = default;
};

/// Arguments of one call: `row_groups` groups of rows, one after the other. Generated code
/// reads this by offset.
struct TileCall {
  const float* in;          // the tile's first vector of the block's first channel
  const uint16_t* offsets;  // of the columns, in column_bytes
  const float* values;      // of the columns, lowest bit of the pattern first
  const uint16_t* counts;   // of the columns, per pattern, per row group
  float* spill;             // rows × vectors accumulators per row group, between blocks
  float* out;               // channel of the first row
  const float* residual;    // the same, or null
  const float* bias;        // of the first row
  int64_t row_groups;
  const int32_t* in_prefetch;  // in_prefetches byte offsets a row group
  const void* in_prefetch_base;
  const int32_t* out_prefetch;
  const void* out_prefetch_base;
  const void* residual_prefetch_base;  // with the offsets of out_prefetch
  const TileMove* moves;               // `moves` a row group
  const void* move_base;
  void* move_to;  // 64 bytes a move
  int64_t first;  // not 0: begin from the bias instead of spill
  int64_t last;   // not 0: add the residual, apply the activation, write out; else spill
};

class TileKernel {
 public:
  virtual ~TileKernel() = default;
  virtual void Run(const TileCall& call) const noexcept = 0;
};

/// Generated code for kAvx2 and kAvx512 (vectors of 8 and 16 floats), plain C++ for kScalar.
/// Throws Error when the tile does not fit the registers of `isa`.
std::unique_ptr<TileKernel> MakeTileKernel(const TileKernelSpec& spec, Isa isa);

/// Whether `bits` weights and `vectors` accumulators a row fit the registers of `isa`.
bool FitsRegisters(Isa isa, int rows, int taps, int vectors);

}  // namespace sparsify

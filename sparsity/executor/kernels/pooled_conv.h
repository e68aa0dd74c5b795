// A sparse convolution and the max-pool behind it in one go: the convolution's rows are computed
// band by band into a buffer that stays in the cache, and pooled from there.
#pragma once

#include <cstdint>
#include <optional>

#include "sparsity/executor/kernels/lane_ops.h"
#include "sparsity/executor/kernels/sparse_conv.h"

namespace sparsify {

/// A max-pool bound to its output.
struct PoolShape {
  PoolGeometry window;
  int64_t out_h = 1, out_w = 1;
};

/// How the rows of a convolution are cut.
struct PoolBands {
  int64_t rows = 0;   // of the convolution in a band: a multiple of the pool's stride
  int64_t count = 0;  // of one group of images
  int64_t kept = 0;   // rows that the pool needs of the band before

  bool operator==(const PoolBands&) const = default;
};

/// Bands whose buffer takes at most two thirds of `cache_bytes`, at least one stride of the pool;
/// of those the height that leaves the busiest of `threads` threads the least to do.
PoolBands PlanPoolBands(const ConvGeometry& conv, const PoolShape& pool, int64_t cache_bytes,
                        int threads);

class PooledConv {
 public:
  /// As SparseConv: `conv` is the whole convolution, which adds no residual. `cache_bytes`: of one
  /// core. Throws Error when the geometry is invalid or the variant cannot run it in bands.
  PooledConv(const ConvGeometry& conv, const float* weight, const float* bias,
             const Activation& activation, const SparseVariant& variant, const PoolShape& pool,
             int64_t cache_bytes, const LaneContext& context);

  /// `in` has the convolution's input shape, `out` its channels and the pool's size.
  /// `scratch`: scratch_bytes() bytes, 64-byte aligned, private to this call. No allocation.
  void Run(const LaneView& in, const LaneView& out, void* scratch) const noexcept;

  int64_t scratch_bytes() const { return context_.threads * (buffer_bytes_ + conv_bytes_); }
  int64_t constant_bytes() const;
  LaneShape InShape() const { return conv_.InShape(); }
  LaneShape OutShape() const;
  const PoolBands& bands() const { return bands_; }

 private:
  /// One thread's share of the bands of all groups.
  void RunBands(int64_t begin, int64_t end, const LaneView& in, const LaneView& out,
                char* scratch) const;
  void KeepRows(const LaneView& buffer) const;
  void PoolBand(int64_t group, int64_t band, const LaneView& buffer, const LaneView& out) const;
  /// Pooled rows that are complete after the bands before `band`.
  int64_t PooledRows(int64_t band) const;
  ConvGeometry BandGeometry(int64_t rows) const;

  ConvGeometry conv_;
  PoolShape pool_;
  LaneContext context_;
  PoolBands bands_;
  LaneShape buffer_;  // the rows kept, then a band
  std::optional<SparseConv> band_conv_;
  std::optional<SparseConv> kept_conv_;  // for a thread that begins within a group
  int64_t buffer_bytes_ = 0;
  int64_t conv_bytes_ = 0;
};

}  // namespace sparsify

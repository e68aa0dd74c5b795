#include "sparsity/executor/kernels/pooled_conv.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "sparsity/base/rounding.h"
#include "sparsity/executor/kernels/lane_kernels.h"

namespace sparsify {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kLine = 64;

/// Pooled rows, any number of them, whose windows end within the first `rows` rows.
int64_t CompleteRows(const PoolGeometry& window, int64_t rows) {
  const int64_t last = rows + window.pad_top - window.kernel_h;
  return last < 0 ? 0 : last / window.stride_h + 1;
}

/// From the first row of the next window to the end of a band of whole strides; at the top of a
/// plane, where windows begin in the padding, it is more than there is.
int64_t KeptRows(const PoolGeometry& window) {
  const int64_t band = RoundUp(window.kernel_h, window.stride_h);
  return std::max<int64_t>(band + window.pad_top - CompleteRows(window, band) * window.stride_h, 0);
}

}  // namespace

PoolBands PlanPoolBands(const ConvGeometry& conv, const PoolShape& pool, int64_t cache_bytes,
                        int threads) {
  const int64_t stride = pool.window.stride_h;
  const int64_t kept = KeptRows(pool.window);
  const int64_t groups = conv.OutShape().groups();
  const int64_t row_bytes = conv.out_w * conv.lanes * conv.out_channels * kFloat;
  const int64_t most = std::min(cache_bytes * 2 / 3 / row_bytes - kept, conv.out_h);
  PoolBands best;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (int64_t rows = std::max<int64_t>(most / stride, 1) * stride; rows > 0; rows -= stride) {
    const int64_t count = CeilDiv(conv.out_h, rows);
    // What the busiest thread computes; a band costs about a row more than its rows.
    const int64_t cost = CeilDiv(count * groups, threads) * (rows + 1);
    if (cost >= least) continue;
    least = cost;
    best = {rows, count, kept};
  }
  return best;
}

PooledConv::PooledConv(const ConvGeometry& conv, const float* weight, const float* bias,
                       const Activation& activation, const SparseVariant& variant,
                       const PoolShape& pool, int64_t cache_bytes, const LaneContext& context)
    : conv_(conv), pool_(pool), context_(context) {
  conv.Validate("pooled convolution");
  bands_ = PlanPoolBands(conv, pool, cache_bytes, context.threads);
  buffer_ = conv.OutShape();
  buffer_.batch = conv.lanes;
  buffer_.height = bands_.kept + bands_.rows;
  buffer_.halo = 0;
  buffer_bytes_ = RoundUp(buffer_.size() * kFloat, kLine);
  const Epilogue epilogue{activation, false};
  band_conv_.emplace(BandGeometry(bands_.rows), weight, bias, epilogue, variant, 1);
  conv_bytes_ = RoundUp(band_conv_->scratch_bytes(), kLine);
  if (context.threads == 1 || bands_.count == 1 || bands_.kept == 0) return;
  kept_conv_.emplace(BandGeometry(bands_.kept), weight, bias, epilogue, variant, 1);
  conv_bytes_ = std::max(conv_bytes_, RoundUp(kept_conv_->scratch_bytes(), kLine));
}

ConvGeometry PooledConv::BandGeometry(int64_t rows) const {
  ConvGeometry band = conv_;
  band.batch = conv_.lanes;
  band.band_of = conv_.out_h;
  band.out_h = rows;
  band.out_halo = 0;
  band.out_plane = buffer_.plane_stride();
  return band;
}

LaneShape PooledConv::OutShape() const {
  LaneShape shape = conv_.OutShape();
  shape.height = pool_.out_h;
  shape.width = pool_.out_w;
  return shape;
}

int64_t PooledConv::constant_bytes() const {
  return band_conv_->constant_bytes() + (kept_conv_ ? kept_conv_->constant_bytes() : 0);
}

int64_t PooledConv::PooledRows(int64_t band) const {
  if (band == bands_.count) return pool_.out_h;
  return std::min(CompleteRows(pool_.window, band * bands_.rows), pool_.out_h);
}

void PooledConv::Run(const LaneView& in, const LaneView& out, void* scratch) const noexcept {
  const int64_t work = conv_.OutShape().groups() * bands_.count;
  const auto share = [&](int64_t thread, int64_t threads) {
    RunBands(thread * work / threads, (thread + 1) * work / threads, in, out,
             static_cast<char*>(scratch) + thread * (buffer_bytes_ + conv_bytes_));
  };
  if (context_.threads == 1 || work == 1) {
    share(0, 1);
    return;
  }
#pragma omp parallel num_threads(context_.threads)
  share(omp_get_thread_num(), omp_get_num_threads());
}

void PooledConv::RunBands(int64_t begin, int64_t end, const LaneView& in, const LaneView& out,
                          char* scratch) const {
  const LaneView buffer{reinterpret_cast<float*>(scratch), buffer_};
  char* conv_scratch = scratch + buffer_bytes_;
  LaneView fresh = buffer;  // the rows behind those kept
  fresh.data += bands_.kept * buffer_.row_stride();
  for (int64_t i = begin; i < end; ++i) {
    const int64_t group = i / bands_.count;
    const int64_t band = i % bands_.count;
    const int64_t first_row = band * bands_.rows;
    LaneView images = in;
    images.data += group * in.group_stride();
    if (band > 0 && i > begin) {
      KeepRows(buffer);
    } else if (band > 0 && bands_.kept > 0) {
      kept_conv_->Run(images, nullptr, buffer, conv_scratch, first_row - bands_.kept);
    }
    band_conv_->Run(images, nullptr, fresh, conv_scratch, first_row);
    PoolBand(group, band, buffer, out);
  }
}

/// The last rows of the band before to where they come before the next.
void PooledConv::KeepRows(const LaneView& buffer) const {
  const int64_t row = buffer_.row_stride();
  for (int64_t channel = 0; channel < buffer_.channels; ++channel) {
    float* plane = buffer.Plane(0, channel);
    std::memmove(plane, plane + bands_.rows * row, static_cast<size_t>(bands_.kept * row * kFloat));
  }
}

void PooledConv::PoolBand(int64_t group, int64_t band, const LaneView& buffer,
                          const LaneView& out) const {
  const int64_t begin = PooledRows(band);
  const int64_t end = PooledRows(band + 1);
  if (begin >= end) return;
  const int64_t first = band * bands_.rows - bands_.kept;  // the buffer's row 0
  const int64_t start = begin * pool_.window.stride_h - pool_.window.pad_top;
  const int64_t top = std::max<int64_t>(start, 0);
  const int64_t bottom = std::min((band + 1) * bands_.rows, conv_.out_h);
  PoolGeometry window = pool_.window;
  window.pad_top = top - start;
  const LaneKernels& kernels = LaneKernelsFor(context_.isa);
  const int64_t out_row = out.shape.row_stride();
  for (int64_t channel = 0; channel < buffer_.channels; ++channel) {
    const PlaneView from{buffer.Plane(0, channel) + (top - first) * buffer_.row_stride(),
                         std::max<int64_t>(bottom - top, 0), conv_.out_w, buffer_.row_stride(),
                         buffer_.lanes};
    const PlaneView to{out.Plane(group, channel) + begin * out_row, end - begin, pool_.out_w,
                       out_row, buffer_.lanes};
    kernels.pool(PoolKind::kMax, window, from, to);
  }
}

}  // namespace sparsify

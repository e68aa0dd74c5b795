#include "sparsity/executor/kernels/sparse_conv.h"

#include <omp.h>

#include <algorithm>

#include "sparsity/executor/kernels/sparse_conv_impl.h"

namespace sparsify {

TileItem SparseConv::Impl::ItemAt(int64_t index, int64_t first_row) const {
  TileItem item{};
  item.first_row = first_row;
  item.part = index % parts;
  index /= parts;
  item.column = index % plan.grid_columns();
  index /= plan.grid_columns();
  item.row = index % plan.grid_rows();
  index /= plan.grid_rows();
  item.conv_group = index % plan.geometry.groups;
  item.image_group = index / plan.geometry.groups;
  return item;
}

const float* SparseConv::Impl::Planes(const LaneView& in, const TileItem& item) const {
  const int64_t channels = plan.geometry.in_channels / plan.geometry.groups;
  return in.Plane(item.image_group, item.conv_group * channels);
}

/// Floats from the interior of a plane to what the tile's first unit reads first.
int64_t SparseConv::Impl::TileInput(const TileItem& item) const {
  const ConvGeometry& g = plan.geometry;
  const int64_t row = (item.first_row + item.row * plan.tile.rows) * g.stride_h - g.pad_top;
  const int64_t column =
      item.column * plan.tile.columns * plan.form.positions * g.stride_w - g.pad_left;
  return row * g.InShape().row_stride() + column * g.lanes;
}

/// The tile's first output of its first channel, in a view of shape `shape`.
float* SparseConv::Impl::TileOutput(const LaneView& view, const LaneShape& shape,
                                    const TileItem& item) const {
  return view.Plane(item.image_group, item.conv_group * group_channels()) +
         plan.UnitOffset(shape, item.row * plan.tile.rows, item.column * plan.tile.columns);
}

void SparseConv::Impl::RunItem(const TileItem& item, const TileItem& next, const LaneView& in,
                               const LaneView* residual, const LaneView& out, char* scratch) const {
  const int64_t channels = plan.geometry.in_channels / plan.geometry.groups;
  const int64_t plane_stride = plan.geometry.InShape().plane_stride();
  const TileKind& kind =
      kinds[item.row + 1 == plan.grid_rows()][item.column + 1 == plan.grid_columns()];
  const int64_t row = item.first_row + item.row * plan.tile.rows;
  const int64_t column = item.column * plan.tile.columns;
  const int64_t first_out = item.conv_group * group_channels();
  const float* planes = Planes(in, item);
  auto* spill = reinterpret_cast<float*>(scratch + pack_bytes);
  PackTask task;
  task.plan = &plan;
  task.plane_stride = plane_stride;
  task.row = row;
  task.column = column;
  task.size = kind.size;
  task.scratch = reinterpret_cast<float*>(scratch);
  task.rows = reinterpret_cast<PackRow*>(scratch + pack_bytes + spill_bytes);
  TileCall call{};
  const int64_t blocks = streams[item.conv_group].blocks();
  // Blocks before the last have the time to fetch what the last one writes; a single one fetches
  // for the next tile.
  const TileItem& written = blocks > 1 ? item : next;
  call.out = TileOutput(out, plan.geometry.OutShape(), item);
  call.out_prefetch_base = TileOutput(out, plan.geometry.OutShape(), written);
  if (residual != nullptr) {
    call.residual = TileOutput(*residual, plan.geometry.ResidualShape(), item);
    call.residual_prefetch_base = TileOutput(*residual, plan.geometry.ResidualShape(), written);
  }
  call.bias = bias.data() + first_out;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = block * layout.block_channels;
    const float* block_planes = planes + first * plane_stride;
    call.in_prefetch_base =
        block + 1 < blocks ? block_planes + layout.block_channels * plane_stride + TileInput(item)
                           : Planes(in, next) + TileInput(next);
    if (plan.packed) {
      task.planes = block_planes;
      task.channels = std::min(layout.block_channels, channels - first);
      pack(task);
      call.in = task.scratch;
    } else {
      call.in = block_planes + column * plan.form.floats;
    }
    RunBlock(kind, item, call, block, spill);
  }
}

void SparseConv::Impl::RunBlock(const TileKind& kind, const TileItem& item,
                                const TileCall& tile_call, int64_t block, float* spill) const {
  const WeightStream& stream = streams[item.conv_group];
  const int64_t row_groups = stream.row_groups();
  const int64_t first_group = item.part * row_groups / parts;
  const int64_t end_group = (item.part + 1) * row_groups / parts;
  const bool has_rest = group_channels() % layout.rows != 0 && end_group == row_groups;
  const int64_t body_groups = end_group - first_group - (has_rest ? 1 : 0);
  const int64_t out_stride = plan.geometry.OutShape().plane_stride();
  const int64_t residual_stride = plan.geometry.ResidualShape().plane_stride();
  TileCall call = tile_call;
  call.first = block == 0;
  call.last = block + 1 == stream.blocks();
  const auto run = [&](int64_t index, const TileKernel& kernel, int64_t group, int64_t count) {
    const RegisterTile& tile = kind.tiles[index];
    const int64_t channel = group * layout.rows;
    const WeightStream::Begin& begin = stream.At(block, group);
    call.in = tile_call.in + tile.in;
    call.offsets = stream.offsets() + begin.offset;
    call.values = stream.values() + begin.value;
    call.counts = stream.counts() + begin.count;
    call.spill = spill + tile.spill + channel * tile.vectors * plan.form.floats;
    call.out = tile_call.out + tile.out + channel * out_stride;
    if (tile_call.residual != nullptr) {
      call.residual = tile_call.residual + tile.residual + channel * residual_stride;
    }
    call.bias = tile_call.bias + channel;
    call.row_groups = count;
    const int64_t step = index * row_groups + group;
    call.in_prefetch = in_prefetch.offsets.data() + step * in_prefetch.per_group;
    call.out_prefetch = out_prefetch[block].offsets.data() + step * out_prefetch[block].per_group;
    kernel.Run(call);
  };
  for (size_t i = 0; i < kind.tiles.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    if (body_groups > 0) run(index, *kind.tiles[i].body, first_group, body_groups);
    if (has_rest) run(index, *kind.tiles[i].rest, row_groups - 1, 1);
  }
}

SparseConv::SparseConv(const ConvGeometry& geometry, const float* weight, const float* bias,
                       const Epilogue& epilogue, const SparseVariant& variant, int threads)
    : impl_(std::make_unique<Impl>(geometry, weight, bias, epilogue, variant, threads)) {}

SparseConv::~SparseConv() = default;
SparseConv::SparseConv(SparseConv&&) noexcept = default;
SparseConv& SparseConv::operator=(SparseConv&&) noexcept = default;

int64_t SparseConv::scratch_bytes() const {
  return impl_->threads * (impl_->pack_bytes + impl_->spill_bytes + impl_->rows_bytes);
}

int64_t SparseConv::constant_bytes() const {
  auto bytes = static_cast<int64_t>(impl_->bias.size() * sizeof(float));
  for (const WeightStream& stream : impl_->streams) bytes += stream.bytes();
  bytes += static_cast<int64_t>(impl_->in_prefetch.offsets.size() * sizeof(int32_t));
  for (const PrefetchList& list : impl_->out_prefetch) {
    bytes += static_cast<int64_t>(list.offsets.size() * sizeof(int32_t));
  }
  return bytes;
}

void SparseConv::Run(const LaneView& in, const LaneView* residual, const LaneView& out,
                     void* scratch, int64_t first_row) const noexcept {
  const Impl& impl = *impl_;
  const int64_t bytes = scratch_bytes() / impl.threads;
  const auto work = [&](int64_t thread, int64_t threads) {
    const int64_t end = (thread + 1) * impl.items / threads;
    for (int64_t index = thread * impl.items / threads; index < end; ++index) {
      const int64_t next = std::min(index + 1, impl.items - 1);
      impl.RunItem(impl.ItemAt(index, first_row), impl.ItemAt(next, first_row), in, residual, out,
                   static_cast<char*>(scratch) + thread * bytes);
    }
  };
  if (impl.threads == 1 || impl.items == 1) {
    work(0, 1);
    return;
  }
#pragma omp parallel num_threads(impl.threads)
  work(omp_get_thread_num(), omp_get_num_threads());
}

}  // namespace sparsify

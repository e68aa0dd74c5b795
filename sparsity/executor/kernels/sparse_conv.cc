#include "sparsity/executor/kernels/sparse_conv.h"

#include <omp.h>

#include <algorithm>

#include "sparsity/executor/kernels/sparse_conv_impl.h"

namespace sparsify {
namespace {

constexpr int64_t kMoveBytes = 64;  // of scratch

}  // namespace

/// Item and block of step `step` of the thread's work: all blocks of an item, then the next item.
TileItem SparseConv::Impl::ItemAt(const TileRun& run, int64_t step) const {
  TileItem item{};
  item.first_row = run.first_row;
  item.block = step % blocks();
  int64_t index = run.begin + step / blocks();
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

int64_t SparseConv::Impl::BlockChannels(int64_t block) const {
  const int64_t channels = plan.geometry.in_channels / plan.geometry.groups;
  return std::min(layout.block_channels, channels - block * layout.block_channels);
}

/// The planes of the block's channels.
const float* SparseConv::Impl::Planes(const LaneView& in, const TileItem& item) const {
  const int64_t channels = plan.geometry.in_channels / plan.geometry.groups;
  return in.Plane(item.image_group,
                  item.conv_group * channels + item.block * layout.block_channels);
}

/// What the tile's first unit reads first of the block's first channel.
const float* SparseConv::Impl::TileInput(const LaneView& in, const TileItem& item) const {
  const ConvGeometry& g = plan.geometry;
  const int64_t row = (item.first_row + item.row * plan.tile.rows) * g.stride_h - g.pad_top;
  const int64_t column =
      item.column * plan.tile.columns * plan.form.positions * g.stride_w - g.pad_left;
  return Planes(in, item) + row * g.InShape().row_stride() + column * g.lanes;
}

/// The tile's first output of its first channel, in a view of shape `shape`.
float* SparseConv::Impl::TileOutput(const LaneView& view, const LaneShape& shape,
                                    const TileItem& item) const {
  return view.Plane(item.image_group, item.conv_group * group_channels()) +
         plan.UnitOffset(shape, item.row * plan.tile.rows, item.column * plan.tile.columns);
}

/// Where the packed input of a step lies.
float* SparseConv::Impl::Packed(const TileRun& run, int64_t step) const {
  return reinterpret_cast<float*>(run.scratch + (moves > 0 ? step % 2 : 0) * pack_bytes);
}

void SparseConv::Impl::Pack(const TileRun& run, int64_t step, const TileItem& item) const {
  PackTask task;
  task.plan = &plan;
  task.planes = Planes(run.in, item);
  task.plane_stride = plan.geometry.InShape().plane_stride();
  task.channels = BlockChannels(item.block);
  task.row = item.first_row + item.row * plan.tile.rows;
  task.column = item.column * plan.tile.columns;
  task.size = KindOf(item).size;
  task.scratch = Packed(run, step);
  task.rows = reinterpret_cast<PackRow*>(run.scratch + packed_blocks() * pack_bytes + spill_bytes);
  pack(task);
}

/// Lets the kernel pack the input of `step`, that of `item`; behind the last one, nothing.
void SparseConv::Impl::SetMoves(const TileRun& run, int64_t step, const TileItem& item,
                                TileCall& call) const {
  if (moves == 0) return;
  auto* list = reinterpret_cast<TileMove*>(run.scratch + scratch_bytes() - moves_bytes);
  const auto count = moves_bytes / static_cast<int64_t>(sizeof(TileMove));
  if (step == (run.end - run.begin) * blocks()) {
    std::fill_n(list, count, TileMove{});
  } else if (step == 1 || item.block == 0 || BlockChannels(item.block) < layout.block_channels) {
    // From one block of an item to the next, only the base changes.
    FillMoves(plan, item.first_row + item.row * plan.tile.rows, item.column * plan.tile.columns,
              BlockChannels(item.block), count, list);
  }
  call.moves = list;
  call.move_base = TileInput(run.in, item);
  call.move_to = Packed(run, step);
}

/// Whether the kernels of the item's tile pack all that the next one reads.
bool SparseConv::Impl::MovesAll(const TileItem& item) const {
  return moves > 0 && KindOf(item).tiles.size() == kinds[0][0].tiles.size();
}

void SparseConv::Impl::SetOutput(const TileRun& run, const TileItem& item, TileCall& call) const {
  call.out = TileOutput(run.out, plan.geometry.OutShape(), item);
  if (run.residual != nullptr) {
    call.residual = TileOutput(*run.residual, plan.geometry.ResidualShape(), item);
  }
}

void SparseConv::Impl::RunStep(const TileRun& run, int64_t step,
                               const std::array<TileItem, 3>& tiles) const {
  const TileItem& item = tiles[0];
  TileCall call{};
  // Blocks before the last have the time to fetch what the last one writes; a single one fetches
  // for the next tile.
  SetOutput(run, blocks() > 1 ? item : tiles[1], call);
  call.out_prefetch_base = call.out;
  call.residual_prefetch_base = call.residual;
  SetOutput(run, item, call);
  SetMoves(run, step + 1, tiles[1], call);
  // What the kernel moves has been asked for before.
  call.in_prefetch_base = TileInput(run.in, tiles[moves > 0 ? 2 : 1]);
  call.in = plan.packed ? Packed(run, step)
                        : Planes(run.in, item) + item.column * plan.tile.columns * plan.form.floats;
  call.bias = bias.data() + item.conv_group * group_channels();
  call.first = item.block == 0;
  call.last = item.block + 1 == blocks();
  RunTiles(item, call, reinterpret_cast<float*>(run.scratch + packed_blocks() * pack_bytes));
}

void SparseConv::Impl::RunAll(const TileRun& run) const {
  const int64_t steps = (run.end - run.begin) * blocks();
  if (steps == 0) return;
  // Divisions cost as much as a small column: once a step. Behind the last item comes the last.
  const auto at = [&](int64_t step) { return ItemAt(run, std::min(step, steps - 1)); };
  std::array<TileItem, 3> tiles = {at(0), at(1), at(2)};  // of the step and the two after it
  bool is_packed = !plan.packed;
  for (int64_t step = 0; step < steps; ++step) {
    if (!is_packed) Pack(run, step, tiles[0]);
    RunStep(run, step, tiles);
    is_packed = !plan.packed || MovesAll(tiles[0]);
    tiles = {tiles[1], tiles[2], at(step + 3)};
  }
}

/// All register tiles of a packed tile, each over the item's row groups.
void SparseConv::Impl::RunTiles(const TileItem& item, const TileCall& tile_call,
                                float* spill) const {
  const TileKind& kind = KindOf(item);
  const WeightStream& stream = streams[item.conv_group];
  const int64_t row_groups = stream.row_groups();
  const int64_t first_group = item.part * row_groups / parts;
  const int64_t end_group = (item.part + 1) * row_groups / parts;
  const bool has_rest = group_channels() % layout.rows != 0 && end_group == row_groups;
  const int64_t body_groups = end_group - first_group - (has_rest ? 1 : 0);
  const int64_t out_stride = plan.geometry.OutShape().plane_stride();
  const int64_t residual_stride = plan.geometry.ResidualShape().plane_stride();
  const PrefetchList& written = out_prefetch[item.block];
  TileCall call = tile_call;
  const auto run = [&](int64_t index, const TileKernel& kernel, int64_t group, int64_t count) {
    const RegisterTile& tile = kind.tiles[index];
    const int64_t channel = group * layout.rows;
    const WeightStream::Begin& begin = stream.At(item.block, group);
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
    call.out_prefetch = written.offsets.data() + step * written.per_group;
    call.moves = tile_call.moves + step * moves;
    call.move_to = static_cast<char*>(tile_call.move_to) + step * moves * kMoveBytes;
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

int64_t SparseConv::scratch_bytes() const { return impl_->threads * impl_->scratch_bytes(); }

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
  const auto work = [&](int64_t thread, int64_t threads) {
    const TileRun run{in,
                      residual,
                      out,
                      first_row,
                      thread * impl.items / threads,
                      (thread + 1) * impl.items / threads,
                      static_cast<char*>(scratch) + thread * impl.scratch_bytes()};
    impl.RunAll(run);
  };
  if (impl.threads == 1 || impl.items == 1) {
    work(0, 1);
    return;
  }
#pragma omp parallel num_threads(impl.threads)
  work(omp_get_thread_num(), omp_get_num_threads());
}

}  // namespace sparsify

#include "sparsity/executor/kernels/sparse_conv.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/executor/kernels/prefetch_plan.h"
#include "sparsity/executor/kernels/tile_kernel.h"
#include "sparsity/executor/kernels/tile_packer.h"
#include "sparsity/executor/kernels/tile_plan.h"
#include "sparsity/executor/kernels/weight_stream.h"

namespace sparsify {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kLine = 64;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t RoundUp(int64_t bytes) { return CeilDiv(bytes, kLine) * kLine; }

/// One register tile of a packed tile; offsets in floats.
struct RegisterTile {
  const TileKernel* body = nullptr;  // of full row groups
  const TileKernel* rest = nullptr;  // of the last, smaller row group; null when there is none
  int64_t vectors = 0;
  int64_t in = 0;
  int64_t out = 0;
  int64_t residual = 0;
  int64_t spill = 0;
};

/// Packed tiles of one size.
struct TileKind {
  TileSize size;
  std::vector<RegisterTile> tiles;
};

/// One tile of work.
struct Item {
  int64_t image_group;
  int64_t conv_group;
  int64_t row;  // of the grid of tiles
  int64_t column;
  int64_t part;  // of the row groups
};

}  // namespace

struct SparseConv::Impl {
  Impl(const ConvGeometry& geometry, const float* weight, const float* bias,
       const Epilogue& epilogue, const SparseVariant& variant, int threads);

  void BuildStreams(const float* weight);
  void BuildKinds();
  TileKind BuildKind(TileSize size, bool last_column);
  TileKernelSpec Spec(int rows, TileSize size, bool masked) const;
  const TileKernel* Kernel(int rows, TileSize size, bool masked);
  void BuildPrefetch();
  void ChooseParts();

  Item ItemAt(int64_t index) const;
  const float* Planes(const LaneView& in, const Item& item) const;
  int64_t TileInput(const Item& item) const;
  void RunItem(const Item& item, const Item& next, const LaneView& in, const LaneView* residual,
               const LaneView& out, char* scratch) const;
  void RunBlock(const TileKind& kind, const Item& item, const TileCall& tile_call, int64_t block,
                float* spill) const;
  int64_t group_channels() const { return plan.geometry.out_channels / plan.geometry.groups; }

  TilePlan plan;
  SparseVariant variant;
  Epilogue epilogue;
  int threads;
  StreamLayout layout;
  std::vector<WeightStream> streams;  // one a convolution group
  std::vector<float> bias;
  std::vector<std::pair<TileKernelSpec, std::unique_ptr<TileKernel>>> kernels;
  std::array<std::array<TileKind, 2>, 2> kinds;  // [last row of tiles][last column]
  PackFunction pack = nullptr;
  PrefetchList in_prefetch;
  std::vector<PrefetchList> out_prefetch;  // one a block
  int64_t parts = 1;
  int64_t items = 0;
  int64_t pack_bytes = 0;
  int64_t spill_bytes = 0;
  int64_t rows_bytes = 0;
};

SparseConv::Impl::Impl(const ConvGeometry& geometry, const float* weight, const float* bias_in,
                       const Epilogue& epilogue_in, const SparseVariant& variant_in, int threads_in)
    : variant(variant_in), epilogue(epilogue_in), threads(threads_in) {
  geometry.Validate("sparse convolution");
  const int floats = variant.isa == Isa::kAvx512 ? 16 : 8;
  if (!variant.packed && !CanFlatten(geometry, floats)) {
    Fail("sparse convolution", "variant \"{}\" needs a 1x1 convolution without halo or stride",
         variant.name);
  }
  if (variant.taps != 1 &&
      (variant.taps != geometry.kernel_h || variant.taps != geometry.kernel_w)) {
    Fail("sparse convolution", "variant \"{}\" needs a kernel of {}x{}, got {}x{}", variant.name,
         variant.taps, variant.taps, geometry.kernel_h, geometry.kernel_w);
  }
  if (threads < 1) Fail("sparse convolution", "{} threads, expected at least 1", threads);
  plan = PlanTiles(geometry, floats, variant.packed, variant.tile_vectors, variant.vectors);
  bias.assign(geometry.out_channels, 0.0F);
  if (bias_in != nullptr) std::copy_n(bias_in, geometry.out_channels, bias.data());
  pack = TilePacker(variant.isa);
  BuildStreams(weight);
  BuildPrefetch();
  BuildKinds();
  ChooseParts();
}

void SparseConv::Impl::BuildStreams(const float* weight) {
  const ConvGeometry& g = plan.geometry;
  const int64_t channels = g.in_channels / g.groups;
  int64_t most = int64_t{variant.block_kb} * 1024 / plan.tile_channel_bytes();
  most = std::clamp<int64_t>(most, 1, std::min(channels, MaxBlockChannels(plan)));
  layout.rows = static_cast<int>(std::min<int64_t>(variant.rows, group_channels()));
  layout.taps = variant.taps;
  // Taps share the more loads the longer the tile is along them; with one lane, only rows.
  layout.taps_along_width =
      variant.taps > 1 && g.lanes > 1 && plan.register_tile.columns > plan.register_tile.rows;
  layout.block_channels = CeilDiv(channels, CeilDiv(channels, most));
  layout.dense = variant.dense;
  for (int64_t group = 0; group < g.groups; ++group) {
    streams.emplace_back(plan, layout, weight + group * group_channels() * g.taps(),
                         group_channels());
  }
}

void SparseConv::Impl::BuildPrefetch() {
  const int64_t tiles = CeilDiv(plan.tile.rows, plan.register_tile.rows) *
                        CeilDiv(plan.tile.columns, plan.register_tile.columns);
  const int64_t steps = tiles * streams[0].row_groups();
  in_prefetch = InputPrefetch(plan, layout.block_channels, steps);
  out_prefetch = OutputPrefetch(plan, group_channels(), streams[0].blocks(), steps);
}

void SparseConv::Impl::BuildKinds() {
  const int64_t rest_rows = plan.form.rows - (plan.grid_rows() - 1) * plan.tile.rows;
  const int64_t rest_columns = plan.form.columns - (plan.grid_columns() - 1) * plan.tile.columns;
  for (int last_row = 0; last_row < 2; ++last_row) {
    for (int last_column = 0; last_column < 2; ++last_column) {
      const TileSize size{last_row != 0 ? rest_rows : plan.tile.rows,
                          last_column != 0 ? rest_columns : plan.tile.columns};
      kinds[last_row][last_column] = BuildKind(size, last_column != 0);
    }
  }
  int64_t vectors = 0;
  for (const RegisterTile& tile : kinds[0][0].tiles) vectors += tile.vectors;
  spill_bytes = RoundUp(vectors * group_channels() * plan.form.floats * kFloat);
  if (!plan.packed) return;
  pack_bytes = RoundUp(layout.block_channels * plan.channel_slots() * plan.form.floats * kFloat);
  rows_bytes = RoundUp(PackRows(plan) * static_cast<int64_t>(sizeof(PackRow)));
}

TileKind SparseConv::Impl::BuildKind(TileSize size, bool last_column) {
  TileKind kind{size, {}};
  const TileSize step = plan.register_tile;
  const int rest = static_cast<int>(group_channels() % layout.rows);
  int64_t spill = 0;
  for (int64_t row = 0; row < size.rows; row += step.rows) {
    for (int64_t column = 0; column < size.columns; column += step.columns) {
      const TileSize part{std::min(step.rows, size.rows - row),
                          std::min(step.columns, size.columns - column)};
      const bool masked =
          last_column && plan.form.tail != 0 && column + part.columns == size.columns;
      RegisterTile tile;
      tile.body = Kernel(layout.rows, part, masked);
      if (rest > 0) tile.rest = Kernel(rest, part, masked);
      tile.vectors = part.rows * part.columns * plan.form.per_position;
      tile.in = plan.UnitSlot(row, column) * plan.form.floats;
      tile.out = plan.UnitOffset(plan.geometry.OutShape(), row, column);
      tile.residual = plan.UnitOffset(plan.geometry.ResidualShape(), row, column);
      tile.spill = spill;
      spill += tile.vectors * group_channels() * plan.form.floats;
      kind.tiles.push_back(tile);
    }
  }
  return kind;
}

TileKernelSpec SparseConv::Impl::Spec(int rows, TileSize size, bool masked) const {
  const ConvGeometry& g = plan.geometry;
  const VectorForm& form = plan.form;
  const int64_t vector_bytes = form.floats * kFloat;
  TileKernelSpec spec;
  spec.rows = rows;
  spec.taps = variant.taps;
  spec.vector_floats = form.floats;
  spec.parts = form.parts;
  spec.mask_floats = masked ? form.tail : 0;
  spec.dense = variant.dense;
  for (int64_t row = 0; row < size.rows; ++row) {
    for (int64_t column = 0; column < size.columns; ++column) {
      for (int i = 0; i < form.per_position; ++i) {
        const auto bytes = [&](const LaneShape& shape) {
          return static_cast<int32_t>((plan.UnitOffset(shape, row, column) + i * form.floats) *
                                      kFloat);
        };
        spec.vectors.push_back(
            {static_cast<int32_t>((plan.UnitSlot(row, column) + i) * vector_bytes),
             bytes(g.OutShape()), bytes(g.ResidualShape()), masked && column + 1 == size.columns});
      }
    }
  }
  if (variant.taps > 1) {
    const int64_t tap = layout.taps_along_width ? plan.TapSlot(0, 1) : plan.TapSlot(1, 0);
    spec.tap_in = static_cast<int32_t>(tap * vector_bytes);
  }
  spec.out_pair = static_cast<int32_t>(plan.PairOffset(g.OutShape()) * kFloat);
  spec.residual_pair = static_cast<int32_t>(plan.PairOffset(g.ResidualShape()) * kFloat);
  spec.column_bytes =
      static_cast<int32_t>(plan.packed ? vector_bytes : g.InShape().plane_stride() * kFloat);
  spec.out_stride = g.OutShape().plane_stride() * kFloat;
  spec.residual_stride = g.ResidualShape().plane_stride() * kFloat;
  spec.in_prefetches = in_prefetch.per_group;
  spec.out_prefetches = out_prefetch[0].per_group;
  spec.prefetch_residual = epilogue.add_residual && g.residual_halo == g.out_halo;
  spec.epilogue = epilogue;
  return spec;
}

const TileKernel* SparseConv::Impl::Kernel(int rows, TileSize size, bool masked) {
  const TileKernelSpec spec = Spec(rows, size, masked);
  for (const auto& [known, kernel] : kernels) {
    if (known == spec) return kernel.get();
  }
  kernels.emplace_back(spec, MakeTileKernel(spec, variant.isa));
  return kernels.back().second.get();
}

/// With several threads, tiles are cut by output channels until they spread evenly.
void SparseConv::Impl::ChooseParts() {
  const int64_t tiles =
      plan.image_groups * plan.geometry.groups * plan.grid_rows() * plan.grid_columns();
  const int64_t row_groups = streams[0].row_groups();
  constexpr double kIdle = 0.1;  // of the threads' time
  for (parts = 1; parts < row_groups && threads > 1; ++parts) {
    const int64_t count = tiles * parts;
    const double busy = static_cast<double>(count) / (CeilDiv(count, threads) * threads);
    if (busy >= 1 - kIdle) break;
  }
  items = tiles * parts;
}

Item SparseConv::Impl::ItemAt(int64_t index) const {
  Item item{};
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

const float* SparseConv::Impl::Planes(const LaneView& in, const Item& item) const {
  const int64_t channels = plan.geometry.in_channels / plan.geometry.groups;
  return in.Plane(item.image_group, item.conv_group * channels);
}

/// Floats from the interior of a plane to what the tile's first unit reads first.
int64_t SparseConv::Impl::TileInput(const Item& item) const {
  const ConvGeometry& g = plan.geometry;
  const int64_t row = item.row * plan.tile.rows * g.stride_h - g.pad_top;
  const int64_t column =
      item.column * plan.tile.columns * plan.form.positions * g.stride_w - g.pad_left;
  return row * g.InShape().row_stride() + column * g.lanes;
}

void SparseConv::Impl::RunItem(const Item& item, const Item& next, const LaneView& in,
                               const LaneView* residual, const LaneView& out, char* scratch) const {
  const int64_t channels = plan.geometry.in_channels / plan.geometry.groups;
  const int64_t plane_stride = plan.geometry.InShape().plane_stride();
  const TileKind& kind =
      kinds[item.row + 1 == plan.grid_rows()][item.column + 1 == plan.grid_columns()];
  const int64_t row = item.row * plan.tile.rows;
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
  call.out = out.Plane(item.image_group, first_out) +
             plan.UnitOffset(plan.geometry.OutShape(), row, column);
  call.out_prefetch_base = call.out;
  if (residual != nullptr) {
    call.residual = residual->Plane(item.image_group, first_out) +
                    plan.UnitOffset(plan.geometry.ResidualShape(), row, column);
    call.residual_prefetch_base = call.residual;
  }
  call.bias = bias.data() + first_out;
  const int64_t blocks = streams[item.conv_group].blocks();
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

void SparseConv::Impl::RunBlock(const TileKind& kind, const Item& item, const TileCall& tile_call,
                                int64_t block, float* spill) const {
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
                     void* scratch) const noexcept {
  const Impl& impl = *impl_;
  const int64_t bytes = scratch_bytes() / impl.threads;
  const auto work = [&](int64_t thread, int64_t threads) {
    const int64_t end = (thread + 1) * impl.items / threads;
    for (int64_t index = thread * impl.items / threads; index < end; ++index) {
      impl.RunItem(impl.ItemAt(index), impl.ItemAt(std::min(index + 1, impl.items - 1)), in,
                   residual, out, static_cast<char*>(scratch) + thread * bytes);
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

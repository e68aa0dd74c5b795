#include "sparsity/executor/lane_kernel.h"

#include <memory>
#include <utility>

#include "sparsity/base/rounding.h"
#include "sparsity/executor/arena.h"
#include "sparsity/executor/lane_layer.h"
#include "sparsity/executor/onednn_kernel.h"
#include "sparsity/executor/onednn_steps.h"
#include "sparsity/executor/simplify.h"
#include "sparsity/ops/window.h"

namespace sparsify {
namespace {

const Shape& ShapeOf(const FusedGraph& graph, ValueId id) {
  return graph.shapes[static_cast<size_t>(id)];
}

LaneView ViewOf(const float* data, const LaneShape& shape) {
  // Kernels take one kind of view and write to outputs only.
  return {const_cast<float*>(data), shape};
}

/// A function over the views of all inputs and the output.
class LaneOpKernel : public StepKernel {
 public:
  using Function = std::function<void(const std::vector<LaneView>& in, const LaneView& out)>;

  LaneOpKernel(const FusedGraph& graph, const FusedStep& step, int lanes, bool may_share,
               Function function)
      : function_(std::move(function)) {
    const Layout layout = LanesLayout(lanes, 0);
    for (ValueId id : step.inputs) {
      in_.push_back({nullptr, LaneShapeOf(ShapeOf(graph, id), layout)});
      info_.inputs.push_back(layout);
    }
    out_ = LaneShapeOf(ShapeOf(graph, step.outputs[0]), layout);
    info_.outputs = {layout};
    info_.name = "lanes " + step.op;
    if (may_share) info_.shared_input = 0;
  }

  void Run(const KernelBuffers& buffers) const override {
    for (size_t i = 0; i < in_.size(); ++i) in_[i].data = const_cast<float*>(buffers.inputs[i]);
    function_(in_, {buffers.outputs[0], out_});
  }

 private:
  mutable std::vector<LaneView> in_;
  LaneShape out_;
  Function function_;
};

std::vector<LaneCandidate> One(const FusedGraph& graph, const FusedStep& step,
                               const LaneOptions& options, bool may_share,
                               LaneOpKernel::Function function) {
  const int lanes = options.lanes;
  return {{"lanes " + step.op, false, [&graph, &step, lanes, may_share, function] {
             return std::make_unique<LaneOpKernel>(graph, step, lanes, may_share, function);
           }}};
}

std::vector<LaneCandidate> PoolCandidates(const FusedGraph& graph, const FusedStep& step,
                                          const LaneOptions& options) {
  const auto shape = LanePoolShape(step.node, ShapeOf(graph, step.inputs[0]));
  if (!shape) return {};
  const PoolGeometry pool = shape->window;
  const bool is_max = step.node.type == OpType::kMaxPool;
  return One(graph, step, options, false,
             [context = options.context, pool, is_max](const std::vector<LaneView>& in,
                                                       const LaneView& out) {
               (is_max ? MaxPool : AveragePool)(context, pool, in[0], out);
             });
}

std::vector<LaneCandidate> BinaryCandidates(const FusedGraph& graph, const FusedStep& step,
                                            const LaneOptions& options) {
  if (step.inputs.size() != 2) return {};
  const Shape a = PixelShape(ShapeOf(graph, step.inputs[0]));
  const Shape b = PixelShape(ShapeOf(graph, step.inputs[1]));
  const Shape out = PixelShape(ShapeOf(graph, step.outputs[0]));
  const Activation activation = step.activation;
  const LaneContext context = options.context;
  if (step.node.type == OpType::kAdd) {
    if (a != b) return {};
    return One(graph, step, options, true,
               [context, activation](const std::vector<LaneView>& in, const LaneView& y) {
                 Add(context, in[0], in[1], activation, y);
               });
  }
  const bool swapped = a != out;
  const Shape& gate = swapped ? a : b;
  const bool is_gate = gate[0] == out[0] && gate[1] == out[1] && gate[2] == 1 && gate[3] == 1;
  if ((swapped ? b : a) != out || !(gate == out || is_gate)) return {};
  return One(graph, step, options, !swapped,
             [context, activation, swapped](const std::vector<LaneView>& in, const LaneView& y) {
               Multiply(context, in[swapped ? 1 : 0], in[swapped ? 0 : 1], activation, y);
             });
}

std::vector<LaneCandidate> ConcatCandidates(const FusedGraph& graph, const FusedStep& step,
                                            const LaneOptions& options) {
  if (step.node.attributes.Int("axis", 1) != 1 || step.inputs.size() != step.node.inputs.size()) {
    return {};
  }
  return One(graph, step, options, false,
             [context = options.context](const std::vector<LaneView>& in, const LaneView& out) {
               int64_t first = 0;
               for (const LaneView& part : in) {
                 CopyLanes(context, part, ChannelRange(out, first, part.shape.channels));
                 first += part.shape.channels;
               }
             });
}

std::vector<LaneCandidate> OtherCandidates(const FusedGraph& graph, const FusedStep& step,
                                           const LaneOptions& options) {
  const LaneContext context = options.context;
  switch (step.node.type) {
    case OpType::kMaxPool:
    case OpType::kAveragePool:
      return PoolCandidates(graph, step, options);
    case OpType::kGlobalAveragePool:
      return One(graph, step, options, false,
                 [context](const std::vector<LaneView>& in, const LaneView& out) {
                   GlobalAveragePool(context, in[0], out);
                 });
    case OpType::kAdd:
    case OpType::kMul:
      return BinaryCandidates(graph, step, options);
    case OpType::kConcat:
      return ConcatCandidates(graph, step, options);
    default:
      break;
  }
  if (!ActivationOf(step.node)) return {};
  return One(graph, step, options, true,
             [context, activation = step.activation](const std::vector<LaneView>& in,
                                                     const LaneView& out) {
               ActivateLanes(context, in[0], activation, out);
             });
}

/// The block of nChw8c and nChw16c, all channels of NHWC, 0 for any other format.
int BlockOf(const Layout& layout, const Shape& shape) {
  using Tag = dnnl::memory::format_tag;
  if (layout.kind != LayoutKind::kBlocked) return 0;
  if (layout.format == onednn::Describe(shape, Tag::nChw16c)) return 16;
  if (layout.format == onednn::Describe(shape, Tag::nhwc)) return static_cast<int>(shape[1]);
  return layout.format == onednn::Describe(shape, Tag::nChw8c) ? 8 : 0;
}

/// Lanes on one side. A format without a direct way goes through row-major scratch.
class LaneReorderKernel : public StepKernel {
 public:
  LaneReorderKernel(const Shape& shape, const Layout& from, const Layout& to,
                    const LaneContext& context)
      : context_(context), to_lanes_(to.kind == LayoutKind::kLanes) {
    const Layout& other = to_lanes_ ? from : to;
    lanes_ = LaneShapeOf(shape, to_lanes_ ? to : from);
    block_ = BlockOf(other, shape);
    info_.inputs = {from};
    info_.outputs = {to};
    info_.name = to_lanes_ ? "lanes pack" : "lanes unpack";
    if (other.kind == LayoutKind::kBlocked && block_ == 0) {
      plain_ = to_lanes_ ? onednn::MakeReorder(shape, other, PlainLayout())
                         : onednn::MakeReorder(shape, PlainLayout(), other);
      inner_.inputs.resize(1);
      inner_.outputs.resize(1);
      plain_bytes_ = RoundUp(LayoutBytes(PlainLayout(), shape), kArenaAlignment);
      info_.scratch_bytes = plain_bytes_ + plain_->info().scratch_bytes;
      info_.name += " by way of plain";
    }
  }

  void Run(const KernelBuffers& buffers) const override {
    if (plain_ == nullptr) return Move(buffers.inputs[0], buffers.outputs[0]);
    auto* plain = static_cast<float*>(buffers.scratch);
    inner_.scratch = static_cast<std::byte*>(buffers.scratch) + plain_bytes_;
    if (to_lanes_) {
      inner_.inputs[0] = buffers.inputs[0];
      inner_.outputs[0] = plain;
      plain_->Run(inner_);
      Move(plain, buffers.outputs[0]);
    } else {
      Move(buffers.inputs[0], plain);
      inner_.inputs[0] = plain;
      inner_.outputs[0] = buffers.outputs[0];
      plain_->Run(inner_);
    }
  }

 private:
  void Move(const float* from, float* to) const {
    if (to_lanes_) {
      const LaneView out = ViewOf(to, lanes_);
      block_ > 0 ? BlockedToLanes(context_, from, block_, out) : PlainToLanes(context_, from, out);
    } else {
      const LaneView in = ViewOf(from, lanes_);
      block_ > 0 ? LanesToBlocked(context_, in, block_, to) : LanesToPlain(context_, in, to);
    }
  }

  LaneContext context_;
  bool to_lanes_;
  LaneShape lanes_;
  int block_ = 0;
  KernelPtr plain_;  // null when there is a direct way
  int64_t plain_bytes_ = 0;
  mutable KernelBuffers inner_;
};

/// Lanes to the same lanes.
class LaneCopyKernel : public StepKernel {
 public:
  LaneCopyKernel(const Shape& shape, const Layout& layout, const LaneContext& context)
      : context_(context), shape_(LaneShapeOf(shape, layout)) {
    info_.name = "lanes copy";
    info_.inputs = {layout};
    info_.outputs = {layout};
  }

  void Run(const KernelBuffers& buffers) const override {
    CopyLanes(context_, ViewOf(buffers.inputs[0], shape_), {buffers.outputs[0], shape_});
  }

 private:
  LaneContext context_;
  LaneShape shape_;
};

}  // namespace

std::vector<LaneCandidate> LaneCandidates(const FusedGraph& graph, const FusedStep& step,
                                          const LaneOptions& options) {
  for (ValueId id : step.Operands()) {
    if (PixelShape(ShapeOf(graph, id)).rank() != 4) return {};
  }
  if (PixelShape(ShapeOf(graph, step.outputs[0])).rank() != 4) return {};
  return step.weight != kNoValue ? LaneLayerCandidates(graph, step, options)
                                 : OtherCandidates(graph, step, options);
}

std::optional<PoolShape> LanePoolShape(const Node& pool, const Shape& in) {
  const auto kernel = pool.attributes.Ints("kernel_shape", {});
  const Window window = ResolveWindow(pool, PixelShape(in), kernel[0], kernel[1]);
  const WindowAxis& h = window.height;
  const WindowAxis& w = window.width;
  if (h.dilation != 1 || w.dilation != 1) return std::nullopt;
  PoolShape shape;
  shape.window.kernel_h = h.kernel;
  shape.window.kernel_w = w.kernel;
  shape.window.stride_h = h.stride;
  shape.window.stride_w = w.stride;
  shape.window.pad_top = h.pad_begin;
  shape.window.pad_left = w.pad_begin;
  shape.window.pad_bottom = h.pad_end;
  shape.window.pad_right = w.pad_end;
  shape.window.count_include_pad = pool.attributes.Int("count_include_pad", 0) != 0;
  shape.out_h = h.output;
  shape.out_w = w.output;
  return shape;
}

KernelPtr MakeLaneReorder(const Shape& shape, const Layout& from, const Layout& to,
                          const LaneContext& context) {
  if (from == to) return std::make_unique<LaneCopyKernel>(shape, from, context);
  return std::make_unique<LaneReorderKernel>(shape, from, to, context);
}

}  // namespace sparsify

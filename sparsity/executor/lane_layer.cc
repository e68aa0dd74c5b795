#include "sparsity/executor/lane_layer.h"

#include <memory>
#include <optional>
#include <utility>

#include "sparsity/executor/describe.h"
#include "sparsity/executor/kernels/depthwise.h"
#include "sparsity/executor/kernels/fully_connected.h"
#include "sparsity/executor/kernels/pooled_conv.h"
#include "sparsity/executor/kernels/sparse_conv.h"
#include "sparsity/executor/simplify.h"
#include "sparsity/ops/window.h"

namespace sparsify {
namespace {

const Shape& ShapeOf(const FusedGraph& graph, ValueId id) {
  return graph.shapes[static_cast<size_t>(id)];
}

/// A fully connected step is a convolution whose kernel covers the whole input.
ConvGeometry GeometryOf(const FusedGraph& graph, const FusedStep& step, int lanes) {
  const Shape in = PixelShape(ShapeOf(graph, step.inputs[0]));
  const Shape out = PixelShape(ShapeOf(graph, step.outputs[0]));
  ConvGeometry g;
  g.batch = in[0];
  g.in_channels = in[1];
  g.in_h = in[2];
  g.in_w = in[3];
  g.out_channels = out[1];
  g.lanes = lanes;
  if (step.node.type != OpType::kConv) {
    g.kernel_h = in[2];
    g.kernel_w = in[3];
    return g;
  }
  const Shape& weight = ShapeOf(graph, step.weight);
  const Window window = ResolveWindow(step.node, in, weight[2], weight[3]);
  g.groups = step.node.attributes.Int("group", 1);
  g.kernel_h = window.height.kernel;
  g.kernel_w = window.width.kernel;
  g.stride_h = window.height.stride;
  g.stride_w = window.width.stride;
  g.dilation_h = window.height.dilation;
  g.dilation_w = window.width.dilation;
  g.pad_top = window.height.pad_begin;
  g.pad_bottom = window.height.pad_end;
  g.pad_left = window.width.pad_begin;
  g.pad_right = window.width.pad_end;
  g.out_h = window.height.output;
  g.out_w = window.width.output;
  return g;
}

/// What the layer kernels are made from.
struct LayerData {
  ConvGeometry geometry;
  const float* weight = nullptr;
  const float* bias = nullptr;
  Epilogue epilogue;
  LaneContext context;
  std::optional<PoolShape> pool;  // behind the convolution
  int64_t cache_bytes = 0;
};

LayerData DataOf(const FusedGraph& graph, const FusedStep& step, const LaneOptions& options) {
  LayerData data;
  data.geometry = GeometryOf(graph, step.pool ? step.WithoutPool() : step, options.lanes);
  if (step.pool) {
    // Candidates are asked for bands: not all variants can make them.
    data.geometry.band_of = data.geometry.out_h;
    data.pool = LanePoolShape(*step.pool, ShapeOf(graph, step.unpooled));
    data.cache_bytes = graph.cache_bytes;
  }
  data.weight = graph.graph.value(step.weight).data.data();
  if (step.bias != kNoValue) data.bias = graph.graph.value(step.bias).data.data();
  data.epilogue = {step.activation, step.residual != kNoValue};
  data.context = options.context;
  return data;
}

/// SparseConv and DepthwiseConv differ in their scratch only.
template <class Convolution>
class LaneConvKernel : public StepKernel {
 public:
  LaneConvKernel(const LayerData& data, Convolution convolution, std::string name)
      : in_(data.geometry.InShape()),
        out_(data.geometry.OutShape()),
        convolution_(std::move(convolution)) {
    const Layout layout = LanesLayout(data.geometry.lanes, 0);
    info_.name = std::move(name);
    info_.inputs = {layout};
    if (data.epilogue.add_residual) info_.inputs.push_back(layout);
    info_.outputs = {layout};
    info_.constant_bytes = convolution_.constant_bytes();
    if constexpr (kHasScratch) info_.scratch_bytes = convolution_.scratch_bytes();
  }

  void Run(const KernelBuffers& buffers) const override {
    const LaneView in{const_cast<float*>(buffers.inputs[0]), in_};
    const LaneView out{buffers.outputs[0], out_};
    LaneView residual;
    if (buffers.inputs.size() > 1) residual = {const_cast<float*>(buffers.inputs[1]), out_};
    const LaneView* added = buffers.inputs.size() > 1 ? &residual : nullptr;
    if constexpr (kHasScratch) {
      convolution_.Run(in, added, out, buffers.scratch);
    } else {
      convolution_.Run(in, added, out);
    }
  }

 private:
  static constexpr bool kHasScratch = requires(const Convolution& convolution) {
    convolution.scratch_bytes();
  };

  LaneShape in_;
  LaneShape out_;
  Convolution convolution_;
};

class PooledConvKernel : public StepKernel {
 public:
  PooledConvKernel(const LayerData& data, const SparseVariant& variant, std::string name)
      : convolution_(data.geometry, data.weight, data.bias, data.epilogue.activation, variant,
                     *data.pool, data.cache_bytes, data.context) {
    const Layout layout = LanesLayout(data.geometry.lanes, 0);
    info_.name = std::move(name);
    info_.inputs = {layout};
    info_.outputs = {layout};
    info_.constant_bytes = convolution_.constant_bytes();
    info_.scratch_bytes = convolution_.scratch_bytes();
  }

  void Run(const KernelBuffers& buffers) const override {
    convolution_.Run({const_cast<float*>(buffers.inputs[0]), convolution_.InShape()},
                     {buffers.outputs[0], convolution_.OutShape()}, buffers.scratch);
  }

 private:
  PooledConv convolution_;
};

LaneCandidate SparseCandidate(const LayerData& data, const SparseVariant& variant) {
  const std::string name = (variant.dense ? "lanes " : "sparse ") +
                           std::string(data.pool ? "banded " : "") + variant.name;
  if (data.pool) {
    return {name, !variant.dense, [data, variant, name] {
              return std::make_unique<PooledConvKernel>(data, variant, name);
            }};
  }
  return {name, !variant.dense, [data, variant, name] {
            SparseConv convolution(data.geometry, data.weight, data.bias, data.epilogue, variant,
                                   data.context.threads);
            return std::make_unique<LaneConvKernel<SparseConv>>(data, std::move(convolution), name);
          }};
}

LaneCandidate DepthwiseCandidate(const LayerData& data) {
  return {"lanes depthwise", false, [data] {
            DepthwiseConv convolution(data.geometry, data.weight, data.bias, data.epilogue,
                                      data.context);
            return std::make_unique<LaneConvKernel<DepthwiseConv>>(data, std::move(convolution),
                                                                   "lanes depthwise");
          }};
}

/// A convolution from one position to one position is a fully connected layer.
bool IsOfSinglePositions(const FusedGraph& graph, const FusedStep& step) {
  const Shape& in = ShapeOf(graph, step.inputs[0]);
  const Shape& out = ShapeOf(graph, step.outputs[0]);
  const Shape& weight = ShapeOf(graph, step.weight);
  return in[2] == 1 && in[3] == 1 && out[2] == 1 && out[3] == 1 &&
         weight == Shape{out[1], in[1], 1, 1};
}

class SparseLinearKernel : public StepKernel {
 public:
  SparseLinearKernel(int64_t batch, SparseLinear linear)
      : batch_(batch), linear_(std::move(linear)) {
    info_.name = "sparse bitmask";
    info_.inputs = {PlainLayout()};
    info_.outputs = {PlainLayout()};
    info_.constant_bytes = linear_.constant_bytes();
  }

  void Run(const KernelBuffers& buffers) const override {
    linear_.Run(buffers.inputs[0], batch_, buffers.outputs[0]);
  }

 private:
  int64_t batch_;
  SparseLinear linear_;
};

}  // namespace

std::vector<LaneCandidate> LaneLayerCandidates(const FusedGraph& graph, const FusedStep& step,
                                               const LaneOptions& options) {
  const LayerData data = DataOf(graph, step, options);
  const ConvGeometry& g = data.geometry;
  if (g.groups > 1 && g.groups == g.in_channels && g.groups == g.out_channels) {
    return {DepthwiseCandidate(data)};
  }
  std::vector<LaneCandidate> candidates;
  const double sparsity = WeightSparsity(graph, step);
  if (step.is_layer && sparsity >= options.min_sparsity) {
    for (const SparseVariant& variant : SparseVariants(g, 1 - sparsity, options.context.isa)) {
      candidates.push_back(SparseCandidate(data, variant));
    }
  } else {
    candidates.push_back(SparseCandidate(data, DenseVariant(g, options.context.isa)));
  }
  return candidates;
}

KernelPtr MakeSparseLinear(const FusedGraph& graph, const FusedStep& step,
                           const LaneContext& context) {
  if (step.weight == kNoValue || step.residual != kNoValue || step.pool) return nullptr;
  if (step.node.type == OpType::kConv && !IsOfSinglePositions(graph, step)) return nullptr;
  const Shape in = PixelShape(ShapeOf(graph, step.inputs[0]));
  const float* bias = step.bias == kNoValue ? nullptr : graph.graph.value(step.bias).data.data();
  const Shape& weight = ShapeOf(graph, step.weight);
  SparseLinear linear(weight[1], weight[0], graph.graph.value(step.weight).data.data(), bias,
                      step.activation, context);
  return std::make_unique<SparseLinearKernel>(in[0], std::move(linear));
}

}  // namespace sparsify

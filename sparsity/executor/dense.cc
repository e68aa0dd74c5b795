#include "sparsity/executor/dense.h"

#include "sparsity/executor/onednn_kernel.h"
#include "sparsity/executor/onednn_steps.h"
#include "sparsity/executor/operator_kernel.h"
#include "sparsity/executor/sequence_kernel.h"
#include "sparsity/executor/simplify.h"

namespace sparsify {
namespace {

using Tag = dnnl::memory::format_tag;
using Following = KernelPtr (*)(const FusedGraph&, const FusedStep&, const std::vector<Layout>&);

const Shape& ShapeOf(const FusedGraph& graph, ValueId id) {
  return graph.shapes[static_cast<size_t>(id)];
}

/// The oneDNN function of a step that follows its operands' formats, or null.
Following FollowingFunction(const FusedStep& step) {
  switch (step.node.type) {
    case OpType::kMaxPool:
    case OpType::kAveragePool:
    case OpType::kGlobalAveragePool:
      return onednn::MakePool;
    case OpType::kAdd:
    case OpType::kMul:
      return step.inputs.size() == 2 ? onednn::MakeBinary : nullptr;
    case OpType::kConcat:
      return step.inputs.size() == step.node.inputs.size() ? onednn::MakeConcat : nullptr;
    case OpType::kSoftmax:
      return onednn::MakeSoftmax;
    case OpType::kLRN:
      return onednn::MakeLrn;
    default:
      return ActivationOf(step.node) ? onednn::MakeActivation : nullptr;
  }
}

KernelPtr TryLayouts(const FusedGraph& graph, const FusedStep& step, Following make,
                     const std::vector<Layout>& layouts) {
  try {
    return make(graph, step, layouts);
  } catch (const dnnl::error&) {
    return nullptr;  // not implemented for these formats
  }
}

KernelPtr MakeFollowing(const FusedGraph& graph, const FusedStep& step, Following make,
                        std::vector<Layout> layouts) {
  for (size_t i = 0; i < layouts.size(); ++i) {
    if (layouts[i].kind == LayoutKind::kLanes) {
      layouts[i] = PreferredDenseLayout(ShapeOf(graph, step.inputs[i]));
    }
  }
  KernelPtr kernel = TryLayouts(graph, step, make, layouts);
  for (Tag tag : {Tag::nChw16c, Tag::nhwc, Tag::nChw8c, Tag::nchw}) {
    if (kernel != nullptr) return kernel;
    bool fits = true;
    for (size_t i = 0; i < layouts.size(); ++i) {
      const Shape& shape = ShapeOf(graph, step.inputs[i]);
      fits = fits && PixelShape(shape).rank() == 4;
      if (fits) layouts[i] = onednn::LayoutOf(onednn::Describe(shape, tag), shape);
    }
    if (fits) kernel = TryLayouts(graph, step, make, layouts);
  }
  return kernel;
}

KernelPtr MakeWeighted(const FusedGraph& graph, const FusedStep& step) {
  if (step.winograd) {
    try {
      if (KernelPtr kernel = onednn::MakeConvolution(graph, step)) return kernel;
    } catch (const dnnl::error&) {  // not implemented for these shapes
    }
    FusedStep direct = step;
    direct.winograd = false;
    return MakeWeighted(graph, direct);
  }
  try {
    return step.node.type == OpType::kConv ? onednn::MakeConvolution(graph, step)
                                           : onednn::MakeInnerProduct(graph, step);
  } catch (const dnnl::error&) {
    return nullptr;
  }
}

/// A convolution, then its pool in the format of the convolution's result.
KernelPtr MakeWithPool(const FusedGraph& graph, const FusedStep& step) {
  const Shape& shape = ShapeOf(graph, step.unpooled);
  std::vector<KernelPtr> kernels;
  kernels.push_back(MakeDenseKernel(graph, step.WithoutPool(), {}));
  const Layout made = kernels[0]->info().outputs[0];
  KernelPtr pool = MakeDenseKernel(graph, step.PoolAlone(), {made});
  const Layout read = pool->info().inputs[0];
  std::vector<Shape> between = {shape};
  if (!(made == read)) {
    kernels.push_back(onednn::MakeReorder(shape, made, read));
    between.push_back(shape);
  }
  kernels.push_back(std::move(pool));
  return MakeSequence(std::move(kernels), between);
}

}  // namespace

KernelPtr MakeDenseKernel(const FusedGraph& graph, const FusedStep& step,
                          const std::vector<Layout>& available) {
  if (step.pool) return MakeWithPool(graph, step);
  KernelPtr kernel;
  if (step.weight != kNoValue) {
    kernel = MakeWeighted(graph, step);
  } else if (const Following make = FollowingFunction(step)) {
    kernel = MakeFollowing(graph, step, make, available);
  } else if (step.node.type == OpType::kFlatten || step.node.type == OpType::kReshape) {
    kernel = MakeViewKernel(graph, step);
  }
  return kernel != nullptr ? std::move(kernel) : MakeOperatorKernel(graph, step);
}

Layout PreferredDenseLayout(const Shape& shape) {
  const Shape pixels = PixelShape(shape);
  if (pixels.rank() != 4 || pixels[1] < 8) return PlainLayout();
  const Tag tag = pixels[1] % 16 == 0 ? Tag::nChw16c : Tag::nhwc;
  return onednn::LayoutOf(onednn::Describe(shape, tag), shape);
}

}  // namespace sparsify

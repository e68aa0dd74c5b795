#include <array>
#include <string>
#include <string_view>

#include "sparsity/ops/activations.h"
#include "sparsity/ops/add_mul.h"
#include "sparsity/ops/batch_normalization.h"
#include "sparsity/ops/concat.h"
#include "sparsity/ops/conv.h"
#include "sparsity/ops/gemm.h"
#include "sparsity/ops/lrn.h"
#include "sparsity/ops/matmul.h"
#include "sparsity/ops/node_check.h"
#include "sparsity/ops/op.h"
#include "sparsity/ops/pad.h"
#include "sparsity/ops/pool.h"
#include "sparsity/ops/reduce_mean.h"
#include "sparsity/ops/reshape.h"
#include "sparsity/ops/resize.h"
#include "sparsity/ops/slice.h"
#include "sparsity/ops/softmax.h"
#include "sparsity/ops/split.h"
#include "sparsity/ops/transpose.h"

namespace sparsify {
namespace {

constexpr bool kInPlace = true;

// In the order of OpType.
constexpr auto kTable = std::to_array<OpDef>({
    {OpType::kConv, ConvOutputShapes, ConvForward, ConvBackward},
    {OpType::kBatchNormalization, BatchNormalizationOutputShapes, BatchNormalizationForward,
     BatchNormalizationBackward, kInPlace},
    {OpType::kGemm, GemmOutputShapes, GemmForward, GemmBackward},
    {OpType::kMatMul, MatMulOutputShapes, MatMulForward, MatMulBackward},
    {OpType::kRelu, SameShape, ReluForward, ReluBackward, kInPlace},
    {OpType::kClip, SameShape, ClipForward, ClipBackward, kInPlace},
    {OpType::kSigmoid, SameShape, SigmoidForward, SigmoidBackward, kInPlace},
    {OpType::kHardSigmoid, SameShape, HardSigmoidForward, HardSigmoidBackward, kInPlace},
    {OpType::kHardSwish, SameShape, HardSwishForward, HardSwishBackward, kInPlace},
    {OpType::kSiLU, SameShape, SiLUForward, SiLUBackward, kInPlace},
    {OpType::kAdd, BroadcastOutputShapes, AddForward, AddBackward},
    {OpType::kMul, BroadcastOutputShapes, MulForward, MulBackward},
    {OpType::kConcat, ConcatOutputShapes, ConcatForward, ConcatBackward},
    {OpType::kMaxPool, PoolOutputShapes, MaxPoolForward, MaxPoolBackward},
    {OpType::kAveragePool, PoolOutputShapes, AveragePoolForward, AveragePoolBackward},
    {OpType::kGlobalAveragePool, GlobalAveragePoolOutputShapes, GlobalAveragePoolForward,
     GlobalAveragePoolBackward},
    {OpType::kReduceMean, ReduceMeanOutputShapes, ReduceMeanForward, ReduceMeanBackward},
    {OpType::kFlatten, FlattenOutputShapes, CopyForward, CopyBackward},
    {OpType::kReshape, ReshapeOutputShapes, CopyForward, CopyBackward},
    {OpType::kTranspose, TransposeOutputShapes, TransposeForward, TransposeBackward},
    {OpType::kPad, PadOutputShapes, PadForward, PadBackward},
    {OpType::kSoftmax, SoftmaxOutputShapes, SoftmaxForward, nullptr},
    {OpType::kLRN, LrnOutputShapes, LrnForward, nullptr},
    {OpType::kResize, ResizeOutputShapes, ResizeForward, nullptr},
    {OpType::kSlice, SliceOutputShapes, SliceForward, SliceBackward},
    {OpType::kSplit, SplitOutputShapes, SplitForward, SplitBackward},
    {OpType::kIdentity, SameShape, CopyForward, CopyBackward},
    {OpType::kDropout, DropoutOutputShapes, CopyForward, CopyBackward},
});

constexpr bool InOrder() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (kTable[i].type != static_cast<OpType>(i)) return false;
  }
  return kTable.size() == static_cast<size_t>(OpType::kDropout) + 1;
}
static_assert(InOrder(), "kTable must follow the order of OpType");

constexpr int kMaxRank = 8;
constexpr int64_t kMaxElements = int64_t{1} << 32;

void CheckExtent(const Node& node, const Shape& shape, std::string_view role) {
  if (shape.rank() > kMaxRank) {
    FailNode(node, "{} has {} dimensions, at most {} expected", role, shape.rank(), kMaxRank);
  }
  int64_t elements = 1;
  for (const int64_t dim : shape.dims()) {
    if (dim < 1) {
      FailNode(node, "{} has shape {}; every dimension must be at least 1", role, shape.ToString());
    }
    if (elements > kMaxElements / dim) {
      FailNode(node, "{} of shape {} would exceed 2^32 elements; lower the batch or image size",
               role, shape.ToString());
    }
    elements *= dim;
  }
}

// Runs `body`; an Error that does not name the node yet gets its label in front.
template <class F>
auto Naming(const Node& node, F body) {
  try {
    return body();
  } catch (const Error& error) {
    const std::string label = NodeLabel(node);
    if (std::string_view(error.what()).starts_with(label)) throw;
    throw Error(error.kind(), label + ": " + error.what());
  }
}

}  // namespace

const OpDef& GetOp(OpType type) { return kTable.at(static_cast<size_t>(type)); }

std::vector<Shape> OutputShapes(const Node& node, OpShapes inputs) {
  return Naming(node, [&] {
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (HasInput(node, i)) CheckExtent(node, inputs[i], "an input");
    }
    auto shapes = GetOp(node.type).output_shapes(node, inputs);
    for (const Shape& shape : shapes) CheckExtent(node, shape, "the output");
    return shapes;
  });
}

void Forward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  Naming(node, [&] { GetOp(node.type).forward(node, inputs, outputs); });
}

void Backward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
              OpOutputs grad_inputs) {
  const auto backward = GetOp(node.type).backward;
  if (backward == nullptr) {
    FailNode(node, "the operator has no gradient; choose units that do not contain it");
  }
  Naming(node, [&] { backward(node, inputs, outputs, grad_outputs, grad_inputs); });
}

}  // namespace sparsify

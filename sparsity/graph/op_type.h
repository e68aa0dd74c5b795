// The operators a graph may hold. Names are ONNX's; SiLU is ours (ONNX: x·Sigmoid(x)).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace sparsify {

enum class OpType {
  kConv,
  kBatchNormalization,
  kGemm,
  kMatMul,
  kRelu,
  kClip,
  kSigmoid,
  kHardSigmoid,
  kHardSwish,
  kSiLU,
  kAdd,
  kMul,
  kConcat,
  kMaxPool,
  kAveragePool,
  kGlobalAveragePool,
  kReduceMean,
  kFlatten,
  kReshape,
  kTranspose,
  kPad,
  kSoftmax,
  kLRN,
  kResize,
  kSlice,
  kSplit,
  kIdentity,
  kDropout,
};

std::string_view OpName(OpType type);
std::optional<OpType> OpFromName(std::string_view name);
/// Every operator, in declaration order.
const std::vector<OpType>& AllOpTypes();

}  // namespace sparsify

#include "sparsity/graph/op_type.h"

#include <array>

namespace sparsify {
namespace {

constexpr auto kNames = std::to_array<std::string_view>({"Conv",        "BatchNormalization",
                                                         "Gemm",        "MatMul",
                                                         "Relu",        "Clip",
                                                         "Sigmoid",     "HardSigmoid",
                                                         "HardSwish",   "SiLU",
                                                         "Add",         "Mul",
                                                         "Concat",      "MaxPool",
                                                         "AveragePool", "GlobalAveragePool",
                                                         "ReduceMean",  "Flatten",
                                                         "Reshape",     "Transpose",
                                                         "Pad",         "Softmax",
                                                         "LRN",         "Resize",
                                                         "Slice",       "Split",
                                                         "Identity",    "Dropout"});

}  // namespace

std::string_view OpName(OpType type) { return kNames.at(static_cast<size_t>(type)); }

std::optional<OpType> OpFromName(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<OpType>(i);
  }
  return std::nullopt;
}

const std::vector<OpType>& AllOpTypes() {
  static const std::vector<OpType> all = [] {
    std::vector<OpType> types;
    for (size_t i = 0; i < kNames.size(); ++i) types.push_back(static_cast<OpType>(i));
    return types;
  }();
  return all;
}

}  // namespace sparsify

// The table of ONNX operators that can be read, each with its conversion to the
// conventions of graph/graph.h. What also depends on activation shapes is left in
// marks (kMark…) for onnx_resolve.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sparsity/graph/graph.h"
#include "sparsity/io/onnx_node.h"

namespace sparsify {

inline constexpr int64_t kMinOnnxOpset = 9;
inline constexpr int64_t kMaxOnnxOpset = 19;

// Attributes that live only between conversion and ResolveOnnxGraph.
inline constexpr std::string_view kMarkAutoPad = "auto_pad";        // SAME_UPPER or SAME_LOWER
inline constexpr std::string_view kMarkSoftmax2D = "softmax_2d";    // opset < 13
inline constexpr std::string_view kMarkPadAxes = "pad_axes";        // pads are for these axes
inline constexpr std::string_view kMarkResizeAxes = "resize_axes";  // scales or sizes are
inline constexpr std::string_view kMarkUneven = "uneven_split";     // the last part may be short

struct OnnxOp {
  std::string_view name;
  OpType type;
  int64_t since = kMinOnnxOpset;  // first and last opset that has it
  int64_t until = kMaxOnnxOpset;
  int min_inputs = 1;
  int max_inputs = 1;
  /// Sets inputs and attributes of `out`.
  void (*convert)(OnnxNode& in, Node& out) = nullptr;
};

/// The row of this operator in this opset, or null.
const OnnxOp* FindOnnxOp(std::string_view name, int64_t opset);
/// "Add, AveragePool, …, Upsample"
std::string SupportedOnnxOps();

// Conversions with a file of their own.
void ConvertConv(OnnxNode& in, Node& out);
void ConvertBatchNormalization(OnnxNode& in, Node& out);
void ConvertGemm(OnnxNode& in, Node& out);
void ConvertMatMul(OnnxNode& in, Node& out);
void ConvertMaxPool(OnnxNode& in, Node& out);
void ConvertAveragePool(OnnxNode& in, Node& out);
void ConvertLrn(OnnxNode& in, Node& out);
void ConvertReduceMean(OnnxNode& in, Node& out);
void ConvertReshape(OnnxNode& in, Node& out);
void ConvertTranspose(OnnxNode& in, Node& out);
void ConvertPad(OnnxNode& in, Node& out);
void ConvertSlice(OnnxNode& in, Node& out);
void ConvertSplit(OnnxNode& in, Node& out);
void ConvertResize(OnnxNode& in, Node& out);
void ConvertUpsample(OnnxNode& in, Node& out);

}  // namespace sparsify

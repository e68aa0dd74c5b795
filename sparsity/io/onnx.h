// ONNX files in and out (opset 9–19). The only users of protobuf are the onnx_* files.
#pragma once

#include <cstdint>
#include <string>

#include "sparsity/graph/graph.h"

namespace sparsify {

struct OnnxLoadOptions {
  /// Refuse files (with external data) larger than this many bytes.
  int64_t max_bytes = int64_t{8} << 30;
};

/// Reads a model, establishing the conventions of graph/graph.h. Throws Error for
/// anything damaged, hostile or unsupported (naming node, op type, opset, and the list
/// of supported operators). Zero weights of layers (Conv, Gemm, MatMul) are read as +0.
Graph LoadOnnx(const std::string& path, const OnnxLoadOptions& options = {});
/// The same from memory; external data is refused. `where` names the source in messages.
Graph ParseOnnx(const void* bytes, int64_t size, const std::string& where);

struct OnnxSaveOptions {
  /// Parameters above this many bytes go to a second file, "<path>.data" (a protobuf
  /// message cannot exceed 2 GB).
  int64_t external_above = int64_t{1900} << 20;
};

/// Writes opset 13 (14 when HardSwish needs it) and IR version 7, atomically. Value names
/// are kept, MatMul weights return to I×O, SiLU becomes Sigmoid and Mul; a zero weight of
/// a layer is written as +0. `graph` must be sorted. Throws Error naming the node that
/// ONNX cannot express.
void SaveOnnx(const Graph& graph, const std::string& path, const OnnxSaveOptions& options = {});

}  // namespace sparsify

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
/// of supported operators).
Graph LoadOnnx(const std::string& path, const OnnxLoadOptions& options = {});
/// The same from memory; external data is refused. `where` names the source in messages.
Graph ParseOnnx(const void* bytes, int64_t size, const std::string& where);

/// Writes opset 13 (14 when HardSwish needs it), IR 7 or higher, atomically.
void SaveOnnx(const Graph& graph, const std::string& path);

}  // namespace sparsify

// What an ONNX node means relative to the shapes that reach it, made explicit: auto_pad,
// negative axes, Softmax before opset 13, Pad and Resize for some axes, uneven Split, and
// a batch size that the exporter wrote into Reshape.
#pragma once

#include <cstdint>
#include <string>

#include "sparsity/graph/graph.h"

namespace sparsify {

/// Replaces every mark of onnx_convert.h. `graph` is sorted and its input shapes are set;
/// `fixed_batch` is the batch size of the file, or −1 when it is free. Sets output shapes
/// that the file leaves open. Throws Error naming the node when a shape does not allow it.
void ResolveOnnxGraph(const std::string& where, int64_t fixed_batch, Graph& graph);

}  // namespace sparsify

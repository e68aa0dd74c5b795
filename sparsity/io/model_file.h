// Any model file in, any model file out: which reader and writer a file gets.
#pragma once

#include <string>

#include "sparsity/io/checkpoint.h"

namespace sparsify {

/// Loads what the file's first bytes say it is; for ONNX, which has no signature, the extension
/// .onnx decides. An ONNX model gives a checkpoint of its graph alone (no masks, layers …).
/// Throws Error naming the file and the known formats when it is none of them.
Checkpoint LoadModelFile(const std::string& path);

/// Writes the format of the extension (.h5, .hdf5, .onnx), atomically. ONNX keeps the graph
/// and its weights only; a note says what is left out. Throws Error on another extension.
void SaveModelFile(const Checkpoint& checkpoint, const std::string& path);

}  // namespace sparsify

// How pictures become a checkpoint's inputs: the file says so itself, in the configuration of the
// run that made it.
#pragma once

#include <optional>
#include <string>

#include "sparsity/data/data_options.h"
#include "sparsity/io/checkpoint.h"

namespace sparsify {

/// `data.transform` of the checkpoint's configuration; nothing when the file holds no
/// configuration (an ONNX network, or a checkpoint converted from one). `path` names the file in
/// messages. Throws Error where the configuration cannot be read.
std::optional<TransformOptions> TransformOf(const Checkpoint& checkpoint, const std::string& path);

}  // namespace sparsify

// Shapes as far as an ONNX file alone tells them: the batch size, and any dimension the
// file leaves open, stay unknown. Only the importer needs this, to fold what older opsets
// express relative to a shape; ops/infer_shapes.h is the strict inference for a batch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/graph/graph.h"

namespace sparsify {

/// Dimensions, outermost first; −1 is unknown. The rank is always known.
using PartialShape = std::vector<int64_t>;
inline constexpr int64_t kUnknownDim = -1;
inline constexpr size_t kMaxOnnxRank = 8;

/// Shapes of the outputs of `node`, whose marks (onnx_convert.h) are resolved, given those
/// of its inputs (absent: empty). Throws Error ("where: …") on an impossible rank or axis;
/// leaves unknown what it cannot tell.
std::vector<PartialShape> PartialOutputShapes(const std::string& where, const Node& node,
                                              const std::vector<PartialShape>& inputs);

/// Axis in [0, rank). Throws when out of range.
int64_t NormalAxis(const std::string& where, int64_t axis, size_t rank);

/// Product of dimensions [begin, end), or unknown. Throws beyond 2^40.
int64_t PartialProduct(const std::string& where, const PartialShape& shape, size_t begin,
                       size_t end);

}  // namespace sparsify

// A network as the commands use it: one image input, one output of class scores.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"
#include "sparsity/training/evaluate.h"

namespace sparsify {

/// Throws Error (naming `path`) where an input's size is open in more than the batch.
void RequireKnownSize(const Graph& graph, const std::string& path);

/// Throws Error (naming `path`) unless the graph has one input, of images of a known size, and one
/// output, of a score for each class.
void RequireClassifier(const Graph& graph, const std::string& path);

/// Shape of one input image, C×H×W.
Shape ImageShape(const Graph& graph);

/// Number of scores an image gets.
int64_t ClassCount(const Graph& graph);

/// The prunable layers, in topological order.
std::vector<Layer> LayersOf(const Graph& graph);

/// Forward pass over a dense plan of `batch` images and Threads() threads; fewer images are
/// padded. `graph` may be destroyed afterwards.
ForwardFunction DenseForward(const Graph& graph, int64_t batch);

}  // namespace sparsify

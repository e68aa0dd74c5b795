// What a training run is refused for before its first step, and whether numbers are still finite.
#pragma once

#include "sparsity/graph/graph.h"
#include "sparsity/tensor/tensor.h"
#include "sparsity/training/trainer.h"

namespace sparsify {

/// Throws Error when no step can be made: steps below 1, options that contradict each other, not
/// one image input and one output, images or a batch size that the network (or the teacher) does
/// not take, no row of class scores an image, a teacher with other classes, a teacher without
/// training.distillation or the other way round, sparsities that do not match the layers, several
/// ranks for a network of fixed batch size. Says where training does not do what was asked to the
/// letter (a final Softmax, a warm-up too long, layers that stay in f32).
void CheckTraining(const TrainingTask& task, const TrainingOptions& options);

/// Throws a usage Error naming the first node that stands in the way when the network does not give
/// the scores that it gives for images of its own size for images of `image` (C×H×W) too.
void CheckResolution(const Graph& graph, const Shape& image);

/// Whether nothing is NaN or infinite. On all threads, at the speed of memory.
bool AllFinite(const Tensor& tensor);

}  // namespace sparsify

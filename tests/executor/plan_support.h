// Runs a graph through a plan and through the interpreter.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "sparsity/executor/plan.h"
#include "sparsity/graph/graph.h"

namespace sparsify::testing {

/// Random images for every input of the graph.
std::vector<Tensor> RandomInputs(const std::vector<Shape>& shapes, uint64_t seed);

/// The plan's outputs.
std::vector<Tensor> RunPlan(const Plan& plan, const std::vector<Tensor>& inputs);

/// Succeeds when plan and interpreter agree to `tolerance` (‖a − b‖ / ‖b‖) on each output.
::testing::AssertionResult AgreesWithInterpreter(const Graph& graph, const Plan& plan,
                                                 double tolerance = 2e-5);

/// 3×23×21 images, 7 classes: two convolutions that MaxPools follow, one of them by way of a Relu,
/// and a fully connected layer. Layers: stem, deep, fc.
Graph PooledNet(uint64_t seed = 5);

/// Zeroes a random `sparsity` of every layer's weight.
void PruneRandomly(Graph& graph, double sparsity, uint64_t seed);

}  // namespace sparsify::testing

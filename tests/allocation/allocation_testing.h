// A network of free-standing weights for the allocation tests: layers without nodes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "sparsity/allocation/allocation.h"
#include "sparsity/base/error.h"
#include "sparsity/base/random.h"

namespace sparsify::testing {

struct TestNetwork {
  Graph graph;
  std::vector<Layer> layers;

  /// A weight of normal numbers times `scale`; a convolution sees side×side images.
  Layer& Add(const std::string& name, const Shape& shape, float scale = 1, int64_t side = 8) {
    Random random(1234, layers.size());
    Tensor weight(shape);
    for (float& w : weight.values()) w = scale * static_cast<float>(random.Normal());
    return AddWeight(name, std::move(weight), side);
  }

  Layer& AddWeight(const std::string& name, Tensor weight, int64_t side = 8) {
    Layer layer;
    layer.name = name;
    layer.weight_shape = weight.shape();
    layer.parameters = weight.size();
    layer.is_linear = weight.shape().rank() == 2;
    layer.input_shape =
        layer.is_linear ? Shape{weight.shape()[1]} : Shape{weight.shape()[1], side, side};
    layer.weight = graph.AddParameter(name + ".weight", std::move(weight));
    layers.push_back(layer);
    return layers.back();
  }

  Tensor& weight(size_t i) { return graph.mutable_value(layers[i].weight).data; }

  /// An image input of this size.
  void SetInput(int64_t side) { graph.inputs = {{graph.AddActivation("x"), {-1, 3, side, side}}}; }

  std::vector<std::string> NoneSkipped() const { return std::vector<std::string>(layers.size()); }

  std::vector<double> Sparsities(double sparsity, const AllocationOptions& options) const {
    std::vector<double> values;
    for (const LayerTarget& target : Allocate(graph, layers, NoneSkipped(), sparsity, options)) {
      values.push_back(target.sparsity);
    }
    return values;
  }
};

/// A small residual network's worth of layers, depthwise and linear included.
inline TestNetwork SmallNetwork() {
  TestNetwork net;
  net.graph.name = "net";
  net.SetInput(32);
  net.Add("conv1", {16, 3, 3, 3}, 2.0F, 32);
  net.Add("block1.conv1", {16, 16, 3, 3}, 1.0F, 32);
  Layer& depthwise = net.Add("block1.dw", {16, 1, 3, 3}, 3.0F, 16);
  depthwise.is_depthwise = true;
  depthwise.groups = 16;
  net.Add("block2.conv1", {64, 16, 3, 3}, 0.3F, 8);
  net.Add("block2.conv2", {64, 64, 1, 1}, 0.7F, 8);
  net.Add("fc", {10, 64}, 0.1F);
  return net;
}

/// Σnᵢsᵢ/Σnᵢ, computed anew.
inline double Overall(const TestNetwork& net, const std::vector<double>& sparsity) {
  double pruned = 0;
  double total = 0;
  for (size_t i = 0; i < sparsity.size(); ++i) {
    pruned += sparsity[i] * static_cast<double>(net.layers[i].parameters);
    total += static_cast<double>(net.layers[i].parameters);
  }
  return pruned / total;
}

inline std::string MessageOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace sparsify::testing

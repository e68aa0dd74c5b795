// A small checkpoint that uses every part of the format, for the tests of io/.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/random.h"
#include "sparsity/io/checkpoint.h"

namespace sparsify {

/// Random normal values, `zeros` of the elements (0 to 1) zero.
inline Tensor SparseTensor(const Shape& shape, double zeros, uint64_t seed) {
  Tensor tensor(shape);
  Random random(seed);
  for (float& value : tensor.values()) {
    const double draw = random.Uniform();
    value = draw < zeros ? 0.0F : static_cast<float>(random.Normal() * 0.05);
  }
  return tensor;
}

/// Floats with these bits.
inline Tensor TensorOfBits(const Shape& shape, const std::vector<uint32_t>& bits) {
  Tensor tensor(shape);
  std::memcpy(tensor.data(), bits.data(), bits.size() * sizeof(uint32_t));
  return tensor;
}

/// x → Conv (masked) → Clip → Concat(…) → y, with awkward names and values. The values' order
/// is not the nodes' order.
inline Checkpoint SampleCheckpoint() {
  Checkpoint c;
  Graph& g = c.graph;
  g.name = "sämple/net";
  const ValueId y = g.AddActivation("y");
  const ValueId weight = g.AddParameter("conv1.weight", SparseTensor({8, 3, 3, 3}, 0.5, 1));
  const ValueId x = g.AddActivation("x");
  const ValueId odd = g.AddParameter(
      "a/b%2F\n.bias", TensorOfBits({8}, {0x80000000, 1, 0x807FFFFF, 0x7F800000, 0xFF800000,
                                          0x7FC12345, 0x7F800001, 0x3F800000}));
  const ValueId dots = g.AddParameter("..", TensorOfBits(Shape(), {0xFFFFFFFF}));
  g.AddParameter("none", Tensor(Shape{0, 4}));
  g.AddParameter("large", SparseTensor({3, 1, 2, 7, 11}, 0, 2));
  const ValueId conv = g.AddActivation("conv1/out");
  const ValueId clip = g.AddActivation("clip/out");

  Node conv_node{"conv1", OpType::kConv, {x, weight, odd}, {conv}, {}};
  conv_node.attributes.Set("kernel_shape", std::vector<int64_t>{3, 3});
  conv_node.attributes.Set("group", int64_t{1});
  conv_node.attributes.Set("name", std::string("not the node's name"));
  Node clip_node{"", OpType::kClip, {conv, kNoValue}, {clip}, {}};
  clip_node.attributes.Set("max", 6.1);
  clip_node.attributes.Set("empty", std::string());
  clip_node.attributes.Set("scales", std::vector<double>{0.1, 1e-310});
  clip_node.attributes.Set("no_ints", std::vector<int64_t>{});
  clip_node.attributes.Set("no_reals", std::vector<double>{});
  g.AddNode(conv_node);
  g.AddNode(clip_node);
  g.AddNode({"concat", OpType::kConcat, {clip, conv, dots}, {y}, {}});
  g.inputs = {{x, {-1, 3, 8, 8}}};
  g.outputs = {{y, {-1, 16, 6, 6}}, {clip, Shape()}};
  g.SortAndCheck();

  c.masks.emplace("conv1.weight", MaskOfNonZeros(g.value(weight).data));
  c.layers = {{"conv1", 0.5, c.masks.at("conv1.weight").Sparsity(), ""},
              {"large", 0, 0, "no_prune_layer"}};
  c.requested_sparsity = 0.5;
  c.achieved_sparsity = 0.4921875;
  c.configuration = "model:\n  path: näme.onnx\n";
  c.metrics = {{"top1", 71.25}, {"loss", std::numeric_limits<double>::infinity()}};
  c.history = {{"2026-01-02T03:04:05Z", "0.1.0", "imported"},
               {"2026-01-02T03:05:05Z", "0.1.0", "pruned 50 %"}};
  return c;
}

inline std::vector<char> FileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void WriteBytes(const std::string& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string MessageOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace sparsify

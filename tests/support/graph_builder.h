// Builds small graphs for tests, one call a node, and runs single operators.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sparsity/base/random.h"
#include "sparsity/graph/graph.h"

namespace sparsify::testing {

using AttributeList = std::vector<std::pair<std::string, Attributes::Value>>;

class GraphBuilder {
 public:
  explicit GraphBuilder(std::string name = "net", uint64_t seed = 1);

  /// `image` is the shape without the batch dimension.
  ValueId Input(const Shape& image, const std::string& name = "input");
  ValueId Parameter(const std::string& name, Tensor data);

  /// A node called `name` with one output called `name + ".out"`.
  ValueId Op(OpType type, const std::string& name, std::vector<ValueId> inputs,
             const AttributeList& attributes = {});
  /// Weight `name + ".weight"` of shape [out, in / groups, kernel, kernel], scaled so that
  /// activations keep their size, bias `name + ".bias"`, padding kernel / 2.
  ValueId Conv(const std::string& name, ValueId x, int64_t in, int64_t out, int64_t kernel,
               int64_t stride = 1, int64_t groups = 1, bool bias = false);
  /// Parameters name.{weight,bias,running_mean,running_var}, all away from the identity.
  ValueId BatchNorm(const std::string& name, ValueId x, int64_t channels);
  /// Gemm with weight [out, in] and a bias.
  ValueId Linear(const std::string& name, ValueId x, int64_t in, int64_t out);
  ValueId Relu(const std::string& name, ValueId x) { return Op(OpType::kRelu, name, {x}); }

  /// Declares the outputs with their inferred shapes, dimension 0 free; sorts and checks.
  Graph Finish(const std::vector<ValueId>& outputs);

 private:
  Random random_;
  Graph graph_;
};

/// 3×16×16 images, 10 classes: Conv–BN–Relu, a residual block with a strided projection,
/// global pooling, Gemm. Layers: stem, block.conv1, block.conv2, block.down, fc.
Graph SmallResidualNet(uint64_t seed = 1);

/// 3×16×16 images, 5 classes: inverted-residual style with depthwise convolution, squeeze
/// and excite (HardSigmoid, Mul), HardSwish, Clip.
Graph SmallMobileNet(uint64_t seed = 1);

/// Runs one node on `inputs` (null: absent) through OutputShapes and Forward.
std::vector<Tensor> RunOp(OpType type, const std::vector<const Tensor*>& inputs,
                          const AttributeList& attributes = {}, size_t outputs = 1);

/// The text of the Error `body` throws, or "no error".
std::string MessageOf(const std::function<void()>& body);

}  // namespace sparsify::testing

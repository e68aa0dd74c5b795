#include "tests/executor/plan_support.h"

#include "sparsity/ops/interpreter.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify::testing {

std::vector<Tensor> RandomInputs(const std::vector<Shape>& shapes, uint64_t seed) {
  Random random(seed);
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) inputs.push_back(RandomTensor(random, shape));
  return inputs;
}

std::vector<Tensor> RunPlan(const Plan& plan, const std::vector<Tensor>& inputs) {
  std::vector<const float*> in;
  for (const Tensor& input : inputs) in.push_back(input.data());
  std::vector<Tensor> outputs;
  for (const Shape& shape : plan.output_shapes()) outputs.emplace_back(shape);
  std::vector<float*> out;
  for (Tensor& output : outputs) out.push_back(output.data());
  plan.Run(in, out);
  return outputs;
}

::testing::AssertionResult AgreesWithInterpreter(const Graph& graph, const Plan& plan,
                                                 double tolerance) {
  const std::vector<Tensor> inputs = RandomInputs(plan.input_shapes(), 11);
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(&input);
  const std::vector<Tensor> expected = Interpreter(graph).Run(pointers);
  // Twice: the second run sees an arena full of the first one's values.
  for (int round : {1, 2}) {
    const std::vector<Tensor> actual = RunPlan(plan, inputs);
    if (actual.size() != expected.size()) {
      return ::testing::AssertionFailure() << actual.size() << " outputs";
    }
    for (size_t i = 0; i < actual.size(); ++i) {
      const double error = RelativeError(actual[i], expected[i]);
      if (error > tolerance) {
        return ::testing::AssertionFailure()
               << "run " << round << ", output " << i << ": relative error " << error;
      }
    }
  }
  return ::testing::AssertionSuccess();
}

Graph PooledNet(uint64_t seed) {
  GraphBuilder b("pooled", seed);
  const ValueId stem = b.Relu("r", b.Conv("stem", b.Input({3, 23, 21}), 3, 24, 5, 1, 1, true));
  const ValueId pooled = b.Op(OpType::kMaxPool, "pool", {stem},
                              {{"kernel_shape", std::vector<int64_t>{3, 3}},
                               {"strides", std::vector<int64_t>{2, 2}},
                               {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  const ValueId deep = b.Op(OpType::kMaxPool, "pool2", {b.Conv("deep", pooled, 24, 40, 3)},
                            {{"kernel_shape", std::vector<int64_t>{3, 2}},
                             {"strides", std::vector<int64_t>{2, 2}},
                             {"ceil_mode", int64_t{1}}});
  const ValueId flat = b.Op(OpType::kFlatten, "flat", {deep});
  return b.Finish({b.Linear("fc", flat, 40 * 6 * 6, 7)});
}

void PruneRandomly(Graph& graph, double sparsity, uint64_t seed) {
  Random random(seed);
  for (const Node& node : graph.nodes()) {
    if (node.type != OpType::kConv && node.type != OpType::kGemm) continue;
    Value& weight = graph.mutable_value(node.inputs[1]);
    if (!weight.is_parameter) continue;
    for (float& w : weight.data.values()) {
      if (random.Uniform() < sparsity) w = 0;
    }
  }
}

}  // namespace sparsify::testing

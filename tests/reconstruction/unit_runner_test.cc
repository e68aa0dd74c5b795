#include "reconstruction/unit_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/interpreter.h"
#include "tests/reference/conv.h"
#include "tests/reference/elementwise.h"
#include "tests/reference/linear.h"
#include "tests/reference/normalization.h"
#include "tests/reference/pool.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using reference::Array;
using ::testing::HasSubstr;
using testing::MessageOf;
using testing::RandomTensor;
using testing::ToArray;
using Arrays = std::map<ValueId, Array>;

Array ReferenceConv(const Node& node, const std::vector<const Array*>& in) {
  reference::ConvSettings s;
  s.strides = node.attributes.Ints("strides", {1, 1});
  s.pads = node.attributes.Ints("pads", {0, 0, 0, 0});
  s.groups = node.attributes.Int("group", 1);
  return Conv(*in[0], *in[1], in.size() > 2 ? in[2] : nullptr, s);
}

// The operators of the small networks in double precision.
Array ReferenceNode(const Node& node, const std::vector<const Array*>& in) {
  const auto map = [&](const std::function<double(double)>& f) {
    return reference::Map(*in[0], f);
  };
  switch (node.type) {
    case OpType::kConv:
      return ReferenceConv(node, in);
    case OpType::kBatchNormalization:
      return BatchNormalization(*in[0], *in[1], *in[2], *in[3], *in[4], 1e-5);
    case OpType::kRelu:
      return map([](double x) { return std::max(x, 0.0); });
    case OpType::kClip:
      return map([](double x) { return std::clamp(x, 0.0, 6.0); });
    case OpType::kHardSwish:
      return map(reference::HardSwish);
    case OpType::kHardSigmoid:
      return map([](double x) { return reference::HardSigmoid(x, 0.2, 0.5); });
    case OpType::kAdd:
      return Broadcast(*in[0], *in[1], [](double a, double b) { return a + b; });
    case OpType::kMul:
      return Broadcast(*in[0], *in[1], [](double a, double b) { return a * b; });
    case OpType::kGlobalAveragePool:
    case OpType::kReduceMean:
      return Mean(*in[0], {false, false, true, true});
    case OpType::kFlatten:
      return {{in[0]->dims[0], static_cast<int64_t>(in[0]->values.size()) / in[0]->dims[0]},
              in[0]->values};
    case OpType::kGemm:
      return Gemm(*in[0], *in[1], in[2], false, true, 1, 1);
    default:
      ADD_FAILURE() << "no reference for " << OpName(node.type);
      return {};
  }
}

// Σ ⟨gradient, activation⟩ after running the unit's nodes in double precision.
double ReferenceLoss(const Graph& graph, const Unit& unit, Arrays values, const Arrays& gradients) {
  for (const int index : unit.nodes) {
    const Node& node = graph.node(index);
    std::vector<const Array*> in;
    for (const ValueId id : node.inputs) in.push_back(&values.at(id));
    values[node.outputs[0]] = ReferenceNode(node, in);
  }
  double loss = 0;
  for (const auto& [id, gradient] : gradients) {
    for (size_t i = 0; i < gradient.values.size(); ++i) {
      loss += gradient.values[i] * values.at(id).values[i];
    }
  }
  return loss;
}

struct Problem {
  Graph graph;
  Unit unit;
  std::map<ValueId, Tensor> tensors;    // inputs and parameters
  std::map<ValueId, Tensor> gradients;  // of the outputs

  std::map<ValueId, const Tensor*> Inputs() const { return Pointers(false); }
  std::map<ValueId, const Tensor*> Parameters() const { return Pointers(true); }
  std::map<ValueId, const Tensor*> Gradients() const {
    std::map<ValueId, const Tensor*> result;
    for (const auto& [id, tensor] : gradients) result[id] = &tensor;
    return result;
  }
  std::map<ValueId, const Tensor*> Pointers(bool parameters) const {
    std::map<ValueId, const Tensor*> result;
    for (const auto& [id, tensor] : tensors) {
      if (graph.value(id).is_parameter == parameters) result[id] = &tensor;
    }
    return result;
  }
};

// Parameters differ from the graph's, so that the overrides matter.
Problem MakeProblem(Graph graph, UnitPattern pattern, size_t which, uint64_t seed) {
  Problem p;
  p.graph = std::move(graph);
  const auto shapes = InferShapes(p.graph, pattern == UnitPattern::kBlock ? 2 : 1);
  const auto layers = FindLayers(p.graph, shapes);
  p.unit = FindUnits(p.graph, layers, pattern).at(which);
  Random random(seed);
  for (const ValueId id : p.unit.inputs) {
    p.tensors[id] = RandomTensor(random, shapes[static_cast<size_t>(id)]);
  }
  for (const int node : p.unit.nodes) {
    for (const ValueId id : p.graph.node(node).inputs) {
      if (!p.graph.value(id).is_parameter) continue;
      p.tensors[id] = p.graph.value(id).data;
      for (float& v : p.tensors[id].values()) v *= static_cast<float>(1 + 0.2 * random.Uniform());
    }
  }
  for (const ValueId id : p.unit.outputs) {
    p.gradients[id] = RandomTensor(random, shapes[static_cast<size_t>(id)]);
  }
  return p;
}

bool IsStatistic(const std::string& name) { return name.find("running_") != std::string::npos; }

// Central differences at some elements of every parameter and input.
void CheckGradients(const Problem& p, int samples = 2) {
  UnitRunner runner(p.graph, p.unit);
  runner.Forward(p.Inputs(), p.Parameters());
  std::map<ValueId, Tensor> made;
  for (const auto& [id, tensor] : p.tensors) {
    if (!IsStatistic(p.graph.value(id).name)) made[id] = Tensor();
  }
  runner.Backward(p.Gradients(), made);
  Arrays values;
  Arrays gradients;
  for (const auto& [id, tensor] : p.tensors) values[id] = ToArray(tensor);
  for (const auto& [id, tensor] : p.gradients) gradients[id] = ToArray(tensor);
  constexpr double kStep = 1e-6;
  Random random(5);
  for (const auto& [id, gradient] : made) {
    SCOPED_TRACE(p.graph.value(id).name);
    double error = 0;
    double norm = 0;
    for (int sample = 0; sample < samples; ++sample) {
      const auto at = random.Below(static_cast<uint64_t>(gradient.size()));
      const double before = values[id].values[at];
      values[id].values[at] = before + kStep;
      const double above = ReferenceLoss(p.graph, p.unit, values, gradients);
      values[id].values[at] = before - kStep;
      const double below = ReferenceLoss(p.graph, p.unit, values, gradients);
      values[id].values[at] = before;
      const double expected = (above - below) / (2 * kStep);
      error += std::pow(gradient[static_cast<int64_t>(at)] - expected, 2);
      norm += expected * expected;
    }
    // About ten layers, each with reductions of up to a few hundred terms whose rounding errors
    // grow like the square root of their number: 10 · √300 · 2^−24 ≈ 1e-5; tenfold for
    // cancellation in single elements.
    EXPECT_LE(std::sqrt(error), 1e-4 * std::sqrt(norm) + 1e-6);
    EXPECT_GT(norm, 0);
  }
}

TEST(UnitRunner, GradientsOfAResidualBlockAgreeWithDifferences) {
  CheckGradients(MakeProblem(testing::SmallResidualNet(), UnitPattern::kBlock, 1, 1));
}

TEST(UnitRunner, GradientsOfAResidualNetworkAgreeWithDifferences) {
  CheckGradients(MakeProblem(testing::SmallResidualNet(), UnitPattern::kNetwork, 0, 2));
}

TEST(UnitRunner, GradientsThroughSqueezeAndExciteAgreeWithDifferences) {
  CheckGradients(MakeProblem(testing::SmallMobileNet(), UnitPattern::kBlock, 1, 3), 8);
  CheckGradients(MakeProblem(testing::SmallMobileNet(), UnitPattern::kNetwork, 0, 4), 8);
}

TEST(UnitRunner, InnerActivationsMayHaveGradientsToo) {
  Problem p = MakeProblem(testing::SmallResidualNet(), UnitPattern::kNetwork, 0, 5);
  Random random(6);
  p.gradients[p.graph.FindValue("block.add.out")] = RandomTensor(random, {1, 32, 8, 8});
  CheckGradients(p);
}

TEST(UnitRunner, ForwardIsTheInterpreters) {
  const Graph graph = testing::SmallMobileNet();
  const auto layers = FindLayers(graph, InferShapes(graph, 1));
  Random random(1);
  const Tensor x = RandomTensor(random, {3, 3, 16, 16});
  std::map<ValueId, Tensor> known = {{graph.inputs[0].value, x}};
  for (const Unit& unit : FindUnits(graph, layers, UnitPattern::kBlock)) {
    UnitRunner runner(graph, unit);
    std::map<ValueId, const Tensor*> inputs;
    for (const ValueId id : unit.inputs) inputs[id] = &known.at(id);
    runner.Forward(inputs, {});
    for (const ValueId id : unit.outputs) known[id] = runner.Output(id);
  }
  EXPECT_TRUE(
      testing::Same(known.at(graph.outputs[0].value), Interpreter(graph).Run({&x}).front()));
}

TEST(UnitRunner, RepeatsItselfAndGivesZeroWhereNothingDepends) {
  const Problem p = MakeProblem(testing::SmallResidualNet(), UnitPattern::kBlock, 1, 7);
  UnitRunner runner(p.graph, p.unit);
  const ValueId weight = p.graph.FindValue("block.conv2.weight");
  const ValueId other = p.graph.FindValue("block.down.weight");
  runner.Forward(p.Inputs(), p.Parameters());
  std::map<ValueId, Tensor> first = {{weight, Tensor()}};
  runner.Backward(p.Gradients(), first);
  runner.Forward(p.Inputs(), p.Parameters());
  std::map<ValueId, Tensor> second = {{weight, Tensor(Shape{1})}};
  runner.Backward(p.Gradients(), second);
  EXPECT_LE(testing::RelativeError(first.at(weight), second.at(weight)), 1e-6);
  const ValueId inner = p.graph.FindValue("block.relu1.out");
  const Tensor ones = runner.Output(inner);
  std::map<ValueId, Tensor> none = {{weight, Tensor()}, {other, Tensor()}};
  runner.Backward({{inner, &ones}}, none);
  EXPECT_EQ(CountZeros(none.at(weight)), none.at(weight).size());
  EXPECT_EQ(none.at(other).shape(), p.tensors.at(other).shape());
  EXPECT_EQ(CountZeros(none.at(other)), none.at(other).size());
}

TEST(UnitRunner, ExplainsWhatDoesNotFit) {
  const Problem p = MakeProblem(testing::SmallResidualNet(), UnitPattern::kBlock, 1, 8);
  UnitRunner runner(p.graph, p.unit);
  const ValueId weight = p.graph.FindValue("block.conv2.weight");
  const ValueId input = p.unit.inputs[0];
  const ValueId output = p.unit.outputs[0];
  const Tensor small(Shape{1});
  std::map<ValueId, Tensor> wanted = {{weight, Tensor()}};
  const std::string name = "block.conv1 … block.down: ";
  EXPECT_EQ(MessageOf([&] { runner.Backward({}, wanted); }),
            name + "a backward pass needs a forward pass before it");
  EXPECT_EQ(MessageOf([&] { runner.Forward({}, {}); }),
            name + "input \"stem.relu.out\" is missing");
  EXPECT_EQ(MessageOf([&] {
              runner.Forward(p.Inputs(), {{weight, &small}});
            }),
            name + "the replacement of \"block.conv2.weight\" has shape [1], [32,32,3,3] expected");
  EXPECT_EQ(MessageOf([&] {
              runner.Forward(p.Inputs(), {{input, &small}});
            }),
            name + "\"stem.relu.out\" is no parameter and cannot be replaced");
  EXPECT_THAT(MessageOf([&] { runner.Output(output); }), HasSubstr("was not made by a forward"));
  runner.Forward(p.Inputs(), {});
  EXPECT_EQ(MessageOf([&] {
              runner.Backward({{output, &small}}, wanted);
            }),
            name + "the gradient of \"block.relu2.out\" has shape [1], [2,32,8,8] expected");
  EXPECT_THAT(MessageOf([&] {
                runner.Backward({{input, &small}}, wanted);
              }),
              HasSubstr("which the unit does not make"));
  std::map<ValueId, Tensor> wrong = {{output, Tensor()}};
  EXPECT_THAT(MessageOf([&] { runner.Backward(p.Gradients(), wrong); }),
              HasSubstr("is neither a parameter nor an input of this unit"));
}

TEST(UnitRunner, NamesTheNodeWithoutGradient) {
  testing::GraphBuilder b("softmax");
  const ValueId x = b.Input({4});
  const Graph graph =
      b.Finish({b.Op(OpType::kSoftmax, "probabilities", {b.Linear("fc", x, 4, 3)})});
  const Problem p = MakeProblem(graph, UnitPattern::kNetwork, 0, 9);
  UnitRunner runner(p.graph, p.unit);
  runner.Forward(p.Inputs(), {});
  std::map<ValueId, Tensor> wanted = {{p.graph.FindValue("fc.weight"), Tensor()}};
  EXPECT_THAT(MessageOf([&] { runner.Backward(p.Gradients(), wanted); }),
              HasSubstr("Softmax \"probabilities\": the operator has no gradient"));
}

}  // namespace
}  // namespace sparsify

#include "sparsity/ops/graph_pass.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/interpreter.h"
#include "sparsity/ops/vector_loops.h"
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
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
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
Array ReferenceNode(const Node& node, const std::vector<const Array*>& in, BatchNormMode mode) {
  const auto map = [&](const std::function<double(double)>& f) {
    return reference::Map(*in[0], f);
  };
  switch (node.type) {
    case OpType::kConv:
      return ReferenceConv(node, in);
    case OpType::kBatchNormalization:
      if (mode == BatchNormMode::kTraining) {
        return BatchNormalizationInTraining(*in[0], *in[1], *in[2], 1e-5);
      }
      return BatchNormalization(*in[0], *in[1], *in[2], *in[3], *in[4], 1e-5);
    case OpType::kRelu:
      return map([](double x) { return std::max(x, 0.0); });
    case OpType::kClip:
      return map([&](double x) {
        return std::clamp(x, node.attributes.Float("min", -1e300),
                          node.attributes.Float("max", 1e300));
      });
    case OpType::kHardSwish:
      return map(reference::HardSwish);
    case OpType::kHardSigmoid:
      return map([](double x) { return reference::HardSigmoid(x, 0.2, 0.5); });
    case OpType::kAdd:
      return Broadcast(*in[0], *in[1], [](double a, double b) { return a + b; });
    case OpType::kMul:
      return Broadcast(*in[0], *in[1], [](double a, double b) { return a * b; });
    case OpType::kMaxPool: {
      reference::PoolSettings s;
      s.kernel = node.attributes.Ints("kernel_shape", {});
      s.pads = node.attributes.Ints("pads", {0, 0, 0, 0});
      return MaxPool(*in[0], s);
    }
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

// Some nodes of a graph.
struct Part {
  std::vector<int> nodes;
  std::vector<ValueId> inputs;   // activations that they read and do not make
  std::vector<ValueId> outputs;  // activations that they make and others, or nobody, read
};

// The nodes from the first to the last one with this prefix.
Part PartOf(const Graph& graph, const std::string& first, const std::string& last) {
  Part part;
  bool inside = false;
  std::set<ValueId> made;
  for (int i = 0; i < static_cast<int>(graph.nodes().size()); ++i) {
    const Node& node = graph.node(i);
    inside = inside || node.name == first;
    if (!inside) continue;
    part.nodes.push_back(i);
    for (const ValueId id : node.inputs) {
      if (graph.value(id).is_parameter || made.contains(id)) continue;
      if (std::ranges::find(part.inputs, id) == part.inputs.end()) part.inputs.push_back(id);
    }
    made.insert(node.outputs[0]);
    if (node.name == last) break;
  }
  for (const ValueId id : made) {
    const auto readers = graph.Consumers(id);
    const bool within = std::ranges::all_of(readers, [&](int reader) {
      return std::ranges::find(part.nodes, reader) != part.nodes.end();
    });
    if (readers.empty() || !within) part.outputs.push_back(id);
  }
  return part;
}

Part Everything(const Graph& graph) {
  return PartOf(graph, graph.nodes().front().name, graph.nodes().back().name);
}

// The residual block, and the inverted residual without its sum.
constexpr const char* kBlock[] = {"block.conv1", "block.relu2"};
constexpr const char* kInverted[] = {"expand", "add"};

// Runs the nodes that depend on `changed` (all of them: kNoValue) in double precision.
void RunReference(const Graph& graph, const Part& part, BatchNormMode mode, ValueId changed,
                  Arrays& values) {
  std::set<ValueId> stale = {changed};
  for (const int index : part.nodes) {
    const Node& node = graph.node(index);
    std::vector<const Array*> in;
    bool depends = changed == kNoValue;
    for (const ValueId id : node.inputs) {
      in.push_back(&values.at(id));
      depends = depends || stale.contains(id);
    }
    if (!depends) continue;
    values[node.outputs[0]] = ReferenceNode(node, in, mode);
    stale.insert(node.outputs[0]);
  }
}

// Σ ⟨gradient, activation⟩
double ReferenceLoss(const Arrays& values, const Arrays& gradients) {
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
  Part part;
  BatchNormMode mode = BatchNormMode::kFrozen;
  std::map<ValueId, Tensor> tensors;    // inputs and parameters
  std::map<ValueId, Tensor> gradients;  // of the outputs

  GraphPass Pass() const { return {graph, part.nodes, part.inputs, "part", mode}; }
  std::map<ValueId, const Tensor*> Inputs() const { return Pointers(false); }
  std::map<ValueId, const Tensor*> Parameters() const { return Pointers(true); }
  std::map<ValueId, LaidOut> Gradients() const {
    std::map<ValueId, LaidOut> result;
    for (const auto& [id, tensor] : gradients) result.emplace(id, &tensor);
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
Problem MakeProblem(Graph graph, Part part, uint64_t seed,
                    BatchNormMode mode = BatchNormMode::kFrozen, int64_t batch = 2) {
  Problem p;
  p.graph = std::move(graph);
  p.part = std::move(part);
  p.mode = mode;
  const auto shapes = InferShapes(p.graph, batch);
  Random random(seed);
  for (const ValueId id : p.part.inputs) {
    p.tensors[id] = RandomTensor(random, shapes[static_cast<size_t>(id)]);
  }
  for (const int node : p.part.nodes) {
    for (const ValueId id : p.graph.node(node).inputs) {
      if (!p.graph.value(id).is_parameter) continue;
      p.tensors[id] = p.graph.value(id).data;
      for (float& v : p.tensors[id].values()) v *= static_cast<float>(1 + 0.2 * random.Uniform());
    }
  }
  for (const ValueId id : p.part.outputs) {
    p.gradients[id] = RandomTensor(random, shapes[static_cast<size_t>(id)]);
  }
  return p;
}

bool IsStatistic(const std::string& name) { return name.find("running_") != std::string::npos; }

// Central differences at some elements of every parameter and input.
void CheckGradients(const Problem& p, int samples = 2) {
  GraphPass pass = p.Pass();
  pass.Forward(p.Inputs(), p.Parameters());
  std::map<ValueId, Tensor> made;
  for (const auto& [id, tensor] : p.tensors) {
    if (!IsStatistic(p.graph.value(id).name)) made[id] = Tensor();
  }
  pass.Backward(p.Gradients(), made);
  Arrays values;
  Arrays gradients;
  for (const auto& [id, tensor] : p.tensors) values[id] = ToArray(tensor);
  for (const auto& [id, tensor] : p.gradients) gradients[id] = ToArray(tensor);
  RunReference(p.graph, p.part, p.mode, kNoValue, values);
  constexpr double kStep = 1e-6;
  Random random(5);
  for (const auto& [id, gradient] : made) {
    SCOPED_TRACE(p.graph.value(id).name);
    double error = 0;
    double norm = 0;
    for (int sample = 0; sample < samples; ++sample) {
      const auto at = random.Below(static_cast<uint64_t>(gradient.size()));
      const auto loss = [&, id = id](double change) {
        Arrays changed = values;
        changed[id].values[at] += change;
        RunReference(p.graph, p.part, p.mode, id, changed);
        return ReferenceLoss(changed, gradients);
      };
      const double above = loss(kStep);
      const double below = loss(-kStep);
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

Problem ResidualBlock(uint64_t seed, BatchNormMode mode = BatchNormMode::kFrozen) {
  const Graph graph = testing::SmallResidualNet();
  return MakeProblem(graph, PartOf(graph, kBlock[0], kBlock[1]), seed, mode);
}

Problem Whole(const Graph& graph, uint64_t seed, BatchNormMode mode = BatchNormMode::kFrozen) {
  return MakeProblem(graph, Everything(graph), seed, mode,
                     mode == BatchNormMode::kTraining ? 2 : 1);
}

TEST(GraphPass, GradientsOfAResidualBlockAgreeWithDifferences) { CheckGradients(ResidualBlock(1)); }

TEST(GraphPass, GradientsOfAResidualNetworkAgreeWithDifferences) {
  CheckGradients(Whole(testing::SmallResidualNet(), 2));
}

TEST(GraphPass, GradientsThroughSqueezeAndExciteAgreeWithDifferences) {
  const Graph graph = testing::SmallMobileNet();
  CheckGradients(MakeProblem(graph, PartOf(graph, kInverted[0], kInverted[1]), 3), 8);
  CheckGradients(Whole(graph, 4), 8);
}

TEST(GraphPass, GradientsThroughBatchNormInTrainingAgreeWithDifferences) {
  CheckGradients(Whole(testing::SmallResidualNet(), 2, BatchNormMode::kTraining), 1);
  CheckGradients(Whole(testing::SmallMobileNet(), 4, BatchNormMode::kTraining), 4);
}

// Convolutions that compute on channel blocks in training beside operators that do not.
Graph NetWithAndWithoutBlocks() {
  testing::GraphBuilder b("mixed");
  const ValueId x = b.Input({3, 6, 6});
  const ValueId stem = b.Relu("stem.relu", b.BatchNorm("stem.bn", b.Conv("stem", x, 3, 16, 3), 16));
  const ValueId deep = b.BatchNorm("deep.bn", b.Conv("deep", stem, 16, 16, 3, 1, 16), 16);
  const ValueId pool =
      b.Op(OpType::kMaxPool, "maximum", {deep},
           {{"kernel_shape", std::vector<int64_t>{3, 3}}, {"pads", std::vector<int64_t>(4, 1)}});
  const ValueId sum = b.Op(OpType::kAdd, "sum", {stem, pool});
  const ValueId down =
      b.Relu("down.relu", b.BatchNorm("down.bn", b.Conv("down", sum, 16, 32, 3, 2), 32));
  const ValueId same = b.Op(OpType::kAdd, "same", {down, down});
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {same});
  const ValueId gate =
      b.Op(OpType::kHardSigmoid, "gate", {b.Conv("up", pooled, 32, 32, 1, 1, 1, true)});
  const ValueId gated = b.Op(OpType::kMul, "mul", {same, gate});
  const ValueId flat = b.Op(OpType::kFlatten, "flatten", {gated}, {{"axis", int64_t{1}}});
  const ValueId direct = b.Op(OpType::kFlatten, "direct", {down}, {{"axis", int64_t{1}}});
  return b.Finish({b.Linear("fc", flat, 288, 4), b.Linear("head", direct, 288, 3)});
}

// Channels that fill blocks in the middle only, as between MobileNetV2's residual sums; folded.
Graph InvertedBottleneck() {
  testing::GraphBuilder b("inverted");
  const auto clip = [&](const std::string& name, ValueId x) {
    return b.Op(OpType::kClip, name, {x}, {{"min", 0.0}, {"max", 1.0}});
  };
  const ValueId x = b.Input({3, 8, 8});
  const ValueId stem = b.Relu("stem.relu", b.Conv("stem", x, 3, 24, 3, 2, 1, true));
  const ValueId wide = clip("wide.clip", b.Conv("wide", stem, 24, 32, 1, 1, 1, true));
  const ValueId deep = clip("deep.clip", b.Conv("deep", wide, 32, 32, 3, 1, 32, true));
  const ValueId narrow = b.Conv("narrow", deep, 32, 24, 1, 1, 1, true);
  const ValueId sum = b.Op(OpType::kAdd, "sum", {stem, narrow});
  const ValueId last = b.Conv("last", sum, 24, 32, 1, 1, 1, true);
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {last});
  const ValueId flat = b.Op(OpType::kFlatten, "flatten", {pooled}, {{"axis", int64_t{1}}});
  return b.Finish({b.Linear("fc", flat, 32, 4)});
}

bool HasBlockKernels() { return VectorTargets().back() == "Avx512"; }

TEST(GraphPass, FrozenPassesTakeBlocksWhereADepthwiseConvolutionGains) {
  const Problem p = Whole(InvertedBottleneck(), 9);
  CheckGradients(p, 3);
  GraphPass pass = p.Pass();
  pass.Forward(p.Inputs(), p.Parameters());
  std::vector<std::string> blocked;
  for (const int index : p.part.nodes) {
    const Node& node = p.graph.node(index);
    if (pass.LiesInBlocks(node.outputs[0])) blocked.push_back(node.name);
  }
  if (HasBlockKernels()) {
    EXPECT_THAT(blocked, ElementsAre("wide", "wide.clip", "deep", "deep.clip"));
  } else {
    EXPECT_THAT(blocked, IsEmpty());
  }
}

// What lies plainly beside activations in blocks: parameters of their shape, weights and biases
// that are computed.
Graph NetWithPlainOperands() {
  testing::GraphBuilder b("operands");
  Random random(20);
  const auto parameter = [&](const std::string& name, const Shape& shape) {
    return b.Parameter(name, RandomTensor(random, shape));
  };
  const auto product = [&](const std::string& name, const Shape& shape) {
    return b.Op(OpType::kMul, name, {parameter(name + ".a", shape), parameter(name + ".b", shape)});
  };
  const ValueId x = b.Relu("stem.relu", b.Conv("stem", b.Input({3, 8, 8}), 3, 16, 3, 1, 1, true));
  const ValueId sum = b.Op(OpType::kAdd, "sum", {x, parameter("p", {1, 16, 8, 8})});
  const ValueId scaled = b.Op(OpType::kMul, "scaled", {parameter("q", {1, 16, 8, 8}), sum});
  const ValueId wide = b.Relu("wide.relu", b.Conv("wide", scaled, 16, 32, 3, 1, 1, true));
  const ValueId deep =
      b.Op(OpType::kConv, "deep",
           {wide, product("deep.weight", {32, 1, 3, 3}), product("deep.bias", {32})},
           {{"group", int64_t{32}}, {"pads", std::vector<int64_t>(4, 1)}});
  const ValueId last =
      b.Op(OpType::kConv, "last",
           {deep, product("last.weight", {16, 32, 1, 1}), product("last.bias", {16})});
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {last});
  return b.Finish(
      {b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {pooled}, {{"axis", int64_t{1}}}), 16, 4)});
}

TEST(GraphPass, ParametersAndComputedWeightsStayPlainBesideBlocks) {
  CheckGradients(Whole(NetWithPlainOperands(), 21), 3);
}

TEST(GraphPass, ABatchNormAndItsActivationAreOne) {
  Problem p = Whole(NetWithAndWithoutBlocks(), 6, BatchNormMode::kTraining);
  GraphPass pass = p.Pass();
  pass.Forward(p.Inputs(), p.Parameters());
  EXPECT_EQ(MessageOf([&] { pass.Output(p.graph.FindValue("stem.bn.out")); }),
            "part: \"stem.bn.out\" is not kept: its activation is computed with it");
  pass.Output(p.graph.FindValue("deep.bn.out"));  // has no activation
  const Tensor made = pass.Output(p.graph.FindValue("stem.relu.out"));
  EXPECT_GE(*std::ranges::min_element(made.values()), 0);
}

TEST(GraphPass, TakesAndGivesActivationsAsTheyLie) {
  Problem p = Whole(InvertedBottleneck(), 10);
  const ValueId id = p.graph.FindValue("deep.clip.out");
  const ValueId weight = p.graph.FindValue("wide.weight");
  Random random(11);
  const Tensor gradient = RandomTensor(random, {1, 32, 4, 4});
  GraphPass pass = p.Pass();
  pass.Forward(p.Inputs(), p.Parameters());
  const Tensor& plain = pass.Output(id);
  Tensor blocked;
  ToChannelBlocks(plain, blocked);
  EXPECT_TRUE(testing::Same(pass.Output(id, true), blocked));
  std::map<ValueId, Tensor> expected = {{weight, Tensor()}};
  pass.Backward({{id, &gradient}}, expected);
  ToChannelBlocks(gradient, blocked);
  std::map<ValueId, Tensor> made = {{weight, Tensor()}};
  pass.Backward({{id, LaidOut(&blocked, true)}}, made);
  EXPECT_GT(made.at(weight).size() - CountZeros(made.at(weight)), 0);
  EXPECT_TRUE(testing::Same(made.at(weight), expected.at(weight)));
}

TEST(GraphPass, GradientsThroughEveryLayoutAgreeWithDifferences) {
  Problem p = Whole(NetWithAndWithoutBlocks(), 6, BatchNormMode::kTraining);
  CheckGradients(p, 3);
  Random random(8);
  for (const char* name : {"stem.out", "stem.relu.out", "down.bn.out"}) {
    const ValueId id = p.graph.FindValue(name);
    p.gradients[id] = RandomTensor(random, InferShapes(p.graph, 2)[static_cast<size_t>(id)]);
  }
  CheckGradients(p, 2);
}

TEST(GraphPass, ActivationsInTrainingAreTheReferences) {
  const Problem p = Whole(NetWithAndWithoutBlocks(), 6, BatchNormMode::kTraining);
  GraphPass pass = p.Pass();
  pass.Forward(p.Inputs(), p.Parameters());
  Arrays values;
  for (const auto& [id, tensor] : p.tensors) values[id] = ToArray(tensor);
  RunReference(p.graph, p.part, p.mode, kNoValue, values);
  for (const int index : p.part.nodes) {
    const ValueId id = p.graph.node(index).outputs[0];
    const std::string& name = p.graph.value(id).name;
    SCOPED_TRACE(name);
    if (name == "stem.bn.out" || name == "down.bn.out") continue;  // Relu is computed with them
    EXPECT_LE(testing::RelativeError(pass.Output(id), testing::ToTensor(values.at(id))), 1e-5);
  }
}

TEST(GraphPass, InnerActivationsMayHaveGradientsToo) {
  Problem p = Whole(testing::SmallResidualNet(), 5);
  Random random(6);
  p.gradients[p.graph.FindValue("block.add.out")] = RandomTensor(random, {1, 32, 8, 8});
  CheckGradients(p, 1);
}

TEST(GraphPass, ForwardIsTheInterpreters) {
  const Graph graph = testing::SmallMobileNet();
  Random random(1);
  const Tensor x = RandomTensor(random, {3, 3, 16, 16});
  std::map<ValueId, Tensor> known = {{graph.inputs[0].value, x}};
  const Part first = PartOf(graph, graph.nodes().front().name, "se.pool");
  const Part second = PartOf(graph, "se.down", graph.nodes().back().name);
  ASSERT_EQ(first.nodes.size() + second.nodes.size(), graph.nodes().size());
  for (const Part& part : {first, second}) {
    GraphPass pass(graph, part.nodes, part.inputs, "part");
    std::map<ValueId, const Tensor*> inputs;
    for (const ValueId id : part.inputs) inputs[id] = &known.at(id);
    pass.Forward(inputs, {});
    for (const ValueId id : part.outputs) known[id] = pass.Output(id);
    EXPECT_TRUE(pass.batch_statistics().empty());
  }
  const Tensor expected = Interpreter(graph).Run({&x}).front();
  EXPECT_TRUE(testing::Same(known.at(graph.outputs[0].value), expected));
  GraphPass whole = GraphPass::WholeNetwork(graph);
  whole.Forward({{graph.inputs[0].value, &x}}, {});
  EXPECT_TRUE(testing::Same(whole.Output(graph.outputs[0].value), expected));
}

TEST(GraphPass, HandsOutTheStatisticsOfEveryBatch) {
  const Graph graph = testing::SmallResidualNet();
  GraphPass pass = GraphPass::WholeNetwork(graph, BatchNormMode::kTraining);
  Random random(1);
  for (const int64_t batch : {4, 3}) {
    const Tensor x = RandomTensor(random, {batch, 3, 16, 16});
    pass.Forward({{graph.inputs[0].value, &x}}, {});
    std::vector<std::string> names;
    for (const BatchStatistics& of : pass.batch_statistics()) {
      const Node& node = graph.node(of.node);
      names.push_back(node.name);
      const Array in = ToArray(pass.Output(node.inputs[0]));
      const auto n = static_cast<double>(of.mean.size());
      const double count = static_cast<double>(in.values.size()) / n;
      Array mean = reference::Zeros({of.mean.size()});
      Array variance = mean;
      reference::ForEach(in.dims,
                         [&](const reference::Dims& at) { mean.At({at[1]}) += in.At(at) / count; });
      reference::ForEach(in.dims, [&](const reference::Dims& at) {
        variance.At({at[1]}) += std::pow(in.At(at) - mean.At({at[1]}), 2) / (count - 1);
      });
      EXPECT_TRUE(testing::Close(of.mean, mean, 1, 1e-6));
      EXPECT_TRUE(testing::Close(of.variance, variance, 1, 1e-6));
    }
    EXPECT_THAT(names, ElementsAre("stem.bn", "block.bn1", "block.bn2", "block.bn3"));
  }
}

TEST(GraphPass, RepeatsItselfAndGivesZeroWhereNothingDepends) {
  const Problem p = ResidualBlock(7);
  GraphPass pass = p.Pass();
  const ValueId weight = p.graph.FindValue("block.conv2.weight");
  const ValueId other = p.graph.FindValue("block.down.weight");
  pass.Forward(p.Inputs(), p.Parameters());
  std::map<ValueId, Tensor> first = {{weight, Tensor()}};
  pass.Backward(p.Gradients(), first);
  pass.Forward(p.Inputs(), p.Parameters());
  std::map<ValueId, Tensor> second = {{weight, Tensor(Shape{1})}};
  pass.Backward(p.Gradients(), second);
  EXPECT_LE(testing::RelativeError(first.at(weight), second.at(weight)), 1e-6);
  const ValueId inner = p.graph.FindValue("block.relu1.out");
  const Tensor ones = pass.Output(inner);
  std::map<ValueId, Tensor> none = {{weight, Tensor()}, {other, Tensor()}};
  pass.Backward({{inner, &ones}}, none);
  EXPECT_EQ(CountZeros(none.at(weight)), none.at(weight).size());
  EXPECT_EQ(none.at(other).shape(), p.tensors.at(other).shape());
  EXPECT_EQ(CountZeros(none.at(other)), none.at(other).size());
}

TEST(GraphPass, ExplainsWhatDoesNotFit) {
  const Problem p = ResidualBlock(8);
  GraphPass pass = p.Pass();
  const ValueId weight = p.graph.FindValue("block.conv2.weight");
  const ValueId input = p.part.inputs[0];
  const ValueId output = p.part.outputs[0];
  const Tensor small(Shape{1});
  std::map<ValueId, Tensor> wanted = {{weight, Tensor()}};
  const std::string name = "part: ";
  EXPECT_EQ(MessageOf([&] { pass.Backward({}, wanted); }),
            name + "a backward pass needs a forward pass before it");
  EXPECT_EQ(MessageOf([&] { pass.Forward({}, {}); }), name + "input \"stem.relu.out\" is missing");
  EXPECT_EQ(MessageOf([&] {
              pass.Forward(p.Inputs(), {{weight, &small}});
            }),
            name + "the replacement of \"block.conv2.weight\" has shape [1], [32,32,3,3] expected");
  EXPECT_EQ(MessageOf([&] {
              pass.Forward(p.Inputs(), {{input, &small}});
            }),
            name + "\"stem.relu.out\" is no parameter and cannot be replaced");
  EXPECT_THAT(MessageOf([&] { pass.Output(output); }), HasSubstr("was not made by a forward"));
  pass.Forward(p.Inputs(), {});
  EXPECT_EQ(MessageOf([&] {
              pass.Backward({{output, &small}}, wanted);
            }),
            name + "the gradient of \"block.relu2.out\" has shape [1], [2,32,8,8] expected");
  EXPECT_THAT(MessageOf([&] {
                pass.Backward({{input, &small}}, wanted);
              }),
              HasSubstr("which these nodes do not make"));
  std::map<ValueId, Tensor> wrong = {{output, Tensor()}};
  EXPECT_THAT(MessageOf([&] { pass.Backward(p.Gradients(), wrong); }),
              HasSubstr("is neither a parameter nor an input of these nodes"));
}

TEST(GraphPass, NamesTheNodeWithoutGradient) {
  testing::GraphBuilder b("softmax");
  const ValueId x = b.Input({4});
  const Graph graph =
      b.Finish({b.Op(OpType::kSoftmax, "probabilities", {b.Linear("fc", x, 4, 3)})});
  const Problem p = Whole(graph, 9);
  GraphPass pass = p.Pass();
  pass.Forward(p.Inputs(), {});
  std::map<ValueId, Tensor> wanted = {{p.graph.FindValue("fc.weight"), Tensor()}};
  EXPECT_THAT(MessageOf([&] { pass.Backward(p.Gradients(), wanted); }),
              HasSubstr("Softmax \"probabilities\": the operator has no gradient"));
}

}  // namespace
}  // namespace sparsify

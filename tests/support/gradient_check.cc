#include "tests/support/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sparsity/ops/op.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace sparsify::testing {
namespace {

using reference::Array;

constexpr double kStep = 1e-5;
constexpr double kFloor = 1e-3;  // times 2^-24: what the differences themselves lose per term

struct Differences {
  Array gradient;
  Array magnitude;
};

Differences Differentiate(const ReferenceForward& forward, std::vector<Array> inputs, size_t which,
                          const std::vector<Tensor>& grad_outputs) {
  Differences result{reference::Zeros(inputs[which].dims), reference::Zeros(inputs[which].dims)};
  for (size_t i = 0; i < inputs[which].values.size(); ++i) {
    const double x = inputs[which].values[i];
    inputs[which].values[i] = x + kStep;
    const auto above = forward(inputs);
    inputs[which].values[i] = x - kStep;
    const auto below = forward(inputs);
    inputs[which].values[i] = x;
    for (size_t o = 0; o < above.size(); ++o) {
      for (size_t j = 0; j < above[o].values.size(); ++j) {
        const double slope = (above[o].values[j] - below[o].values[j]) / (2 * kStep);
        const double term = slope * grad_outputs[o][static_cast<int64_t>(j)];
        result.gradient.values[i] += term;
        result.magnitude.values[i] += std::fabs(term) + kFloor;
      }
    }
  }
  return result;
}

// The gradient of the first input, written where that of the output lies.
void ExpectInPlace(const GradientCase& c, const std::vector<const Tensor*>& inputs,
                   const Tensor& grad_output, const Tensor& expected) {
  const auto outputs = RunOp(c.type, inputs, c.attributes);
  Node node{"node", c.type, {}, {static_cast<ValueId>(inputs.size())}, {}};
  for (const auto& [key, value] : c.attributes) node.attributes.Set(key, value);
  for (size_t i = 0; i < inputs.size(); ++i) node.inputs.push_back(static_cast<ValueId>(i));
  Tensor gradient = grad_output;
  std::vector<Tensor*> pointers(inputs.size(), nullptr);
  pointers[0] = &gradient;
  const std::vector<const Tensor*> made = {&outputs[0]};
  const std::vector<const Tensor*> grad_outputs = {&gradient};
  Backward(node, inputs, made, grad_outputs, pointers);
  EXPECT_TRUE(Same(gradient, expected)) << "in place";
}

}  // namespace

std::vector<Tensor> RunBackward(OpType type, const std::vector<const Tensor*>& inputs,
                                const AttributeList& attributes,
                                const std::vector<const Tensor*>& grad_outputs,
                                const std::vector<size_t>& wanted) {
  const auto outputs = RunOp(type, inputs, attributes, grad_outputs.size());
  Node node{"node", type, {}, {}, {}};
  for (const auto& [key, value] : attributes) node.attributes.Set(key, value);
  for (size_t i = 0; i < inputs.size(); ++i) {
    node.inputs.push_back(inputs[i] == nullptr ? kNoValue : static_cast<ValueId>(i));
  }
  std::vector<const Tensor*> made;
  for (const Tensor& output : outputs) {
    node.outputs.push_back(static_cast<ValueId>(inputs.size() + made.size()));
    made.push_back(&output);
  }
  std::vector<Tensor> gradients(inputs.size());
  std::vector<Tensor*> pointers(inputs.size(), nullptr);
  for (const size_t i : wanted) {
    gradients[i] = Tensor(inputs[i]->shape());
    gradients[i].Fill(std::nanf(""));
    pointers[i] = &gradients[i];
  }
  Backward(node, inputs, made, grad_outputs, pointers);
  return gradients;
}

void ExpectGradients(const GradientCase& c, uint64_t seed) {
  Random random(seed, 77);
  std::vector<const Tensor*> inputs;
  std::vector<Array> arrays;
  for (const Tensor& input : c.inputs) {
    inputs.push_back(&input);
    arrays.push_back(ToArray(input));
  }
  std::vector<Tensor> grad_outputs;
  for (const Array& y : c.forward(arrays)) {
    grad_outputs.push_back(RandomTensor(random, Shape(y.dims)));
  }
  std::vector<const Tensor*> pointers;
  for (const Tensor& g : grad_outputs) pointers.push_back(&g);
  std::vector<size_t> wanted = c.wanted;
  if (wanted.empty()) {
    wanted.resize(inputs.size());
    std::iota(wanted.begin(), wanted.end(), size_t{0});
  }
  const auto together = RunBackward(c.type, inputs, c.attributes, pointers, wanted);
  for (const size_t i : wanted) {
    SCOPED_TRACE(::testing::Message() << OpName(c.type) << " seed " << seed << " input " << i
                                      << " of shape " << inputs[i]->shape().ToString());
    const auto expected = Differentiate(c.forward, arrays, i, grad_outputs);
    // Twice, because the tensor's own terms are rounded before they are summed.
    EXPECT_TRUE(Close(together[i], expected.gradient, expected.magnitude, 2 * c.roundings));
    const auto alone = RunBackward(c.type, inputs, c.attributes, pointers, {i});
    EXPECT_TRUE(Same(alone[i], together[i]));
  }
  if (GetOp(c.type).gradient_in_place) ExpectInPlace(c, inputs, grad_outputs[0], together[0]);
}

void ExpectDifferences(const Tensor& gradient, std::vector<double> at,
                       const std::function<double(const std::vector<double>&)>& loss) {
  constexpr double kStep = 1e-4;
  for (size_t i = 0; i < at.size(); ++i) {
    const double x = at[i];
    at[i] = x + kStep;
    const double above = loss(at);
    at[i] = x - kStep;
    const double below = loss(at);
    at[i] = x;
    EXPECT_NEAR(gradient[static_cast<int64_t>(i)], (above - below) / (2 * kStep), 1e-6);
  }
}

}  // namespace sparsify::testing

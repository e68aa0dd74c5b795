// Whole networks and single operators against ONNX Runtime, through our ONNX reader.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "sparsity/graph/fold_batch_norm.h"
#include "sparsity/io/onnx.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/interpreter.h"
#include "tests/support/compare.h"
#include "tests/support/oracle.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::OracleResult;

// Largest difference as a share of the largest expected element.
double LargestDifference(const Tensor& actual, const Tensor& expected) {
  if (actual.shape() != expected.shape()) return INFINITY;
  double difference = 0;
  double largest = 1e-30;
  for (int64_t i = 0; i < actual.size(); ++i) {
    const double d = std::fabs(static_cast<double>(actual[i]) - expected[i]);
    difference = std::isnan(d) ? INFINITY : std::max(difference, d);
    largest = std::max(largest, std::fabs(static_cast<double>(expected[i])));
  }
  return difference / largest;
}

void CheckLogits(const std::filesystem::path& model, int64_t batch, bool& unavailable) {
  const Graph graph = LoadOnnx(model.string());
  const testing::TemporaryFolder folder;
  const auto shapes = InferShapes(graph, batch);
  Random random(42);
  const Tensor x =
      testing::RandomTensor(random, shapes[static_cast<size_t>(graph.inputs[0].value)]);
  testing::WriteTensor(folder.path() / "in", x);
  const auto result = testing::RunOracle(
      "onnxruntime_logits.py",
      {model.string(), (folder.path() / "in").string(), (folder.path() / "out").string()});
  unavailable = result == OracleResult::kUnavailable;
  if (unavailable) return;
  ASSERT_EQ(result, OracleResult::kDone) << model;
  const Tensor expected = testing::ReadTensor(folder.path() / "out");
  const double plain = LargestDifference(Interpreter(graph).Run({&x})[0], expected);
  FoldReport report;
  const Graph folded = FoldBatchNorms(graph, &report);
  const double after = LargestDifference(Interpreter(folded).Run({&x})[0], expected);
  std::printf("%-32s batch %d: difference %.1e, %.1e with %d batch norms folded, %zu kept\n",
              model.stem().c_str(), static_cast<int>(batch), plain, after, report.folded,
              report.kept.size());
  EXPECT_LT(plain, 1e-3) << model;
  EXPECT_LT(after, 1e-3) << model;
}

TEST(OnnxRuntime, GivesTheSameLogits) {
  const auto models = testing::SharedModels();
  if (models.empty()) GTEST_SKIP() << "SPARSIFY_SHARED_DATA names no folder with models/*.onnx";
  for (const auto& model : models) {
    for (const int64_t batch : {1, 3}) {
      bool unavailable = false;
      CheckLogits(model, batch, unavailable);
      if (unavailable) GTEST_SKIP() << "SPARSIFY_PYTHON (or python3) has no onnxruntime";
    }
  }
}

struct OperatorCase {
  std::string name;
  int inputs = 0;
  int outputs = 0;
  std::string description;
};

std::vector<OperatorCase> ReadCases(const std::filesystem::path& listing) {
  std::vector<OperatorCase> cases;
  std::ifstream file(listing);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    OperatorCase c;
    words >> c.name >> c.inputs >> c.outputs;
    std::getline(words, c.description);
    cases.push_back(c);
  }
  return cases;
}

void CheckOperator(const std::filesystem::path& folder, const OperatorCase& c) {
  SCOPED_TRACE(c.name + c.description);
  const auto file = [&](const std::string& suffix) { return folder / (c.name + suffix); };
  std::vector<Tensor> inputs;
  for (int i = 0; i < c.inputs; ++i) {
    inputs.push_back(testing::ReadTensor(file(".in" + std::to_string(i))));
  }
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(&input);
  try {
    const Graph graph = LoadOnnx(file(".onnx").string());
    const auto outputs = Interpreter(graph).Run(pointers);
    ASSERT_EQ(outputs.size(), static_cast<size_t>(c.outputs));
    for (int i = 0; i < c.outputs; ++i) {
      const Tensor expected = testing::ReadTensor(file(".out" + std::to_string(i)));
      EXPECT_EQ(outputs[static_cast<size_t>(i)].shape().ToString(), expected.shape().ToString());
      EXPECT_LT(LargestDifference(outputs[static_cast<size_t>(i)], expected), 1e-5);
    }
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

TEST(OnnxRuntime, GivesTheSameOperators) {
  const testing::TemporaryFolder folder;
  const char* const asked = std::getenv("SPARSIFY_TEST_SEED");
  const std::string seed = asked != nullptr ? asked : "1";
  const auto result =
      testing::RunOracle("onnxruntime_operators.py", {folder.path().string(), seed, "20"});
  if (result == OracleResult::kUnavailable) {
    GTEST_SKIP() << "SPARSIFY_PYTHON (or python3) has no onnx and onnxruntime";
  }
  ASSERT_EQ(result, OracleResult::kDone);
  const auto cases = ReadCases(folder.path() / "cases.txt");
  EXPECT_GE(cases.size(), 27U * 20U);
  for (const OperatorCase& c : cases) CheckOperator(folder.path(), c);
}

}  // namespace
}  // namespace sparsify

#include "sparsity/io/onnx_convert.h"

#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <set>

namespace sparsify {
namespace {

void ConvertPlain(OnnxNode& in, Node& out) {
  for (int i = 0; i < in.num_inputs(); ++i) out.inputs.push_back(in.Input(i));
}

// An axis that ONNX gives as an integer attribute without, or with, a default.
void ConvertConcat(OnnxNode& in, Node& out) {
  ConvertPlain(in, out);
  if (!in.HasAttribute("axis")) in.Refuse("attribute \"axis\" is missing");
  out.attributes.Set("axis", in.Int("axis", 0));
}

void ConvertFlatten(OnnxNode& in, Node& out) {
  ConvertPlain(in, out);
  out.attributes.Set("axis", in.Int("axis", 1));
}

void ConvertSoftmax(OnnxNode& in, Node& out) {
  ConvertPlain(in, out);
  out.attributes.Set("axis", in.Int("axis", in.opset() < 13 ? 1 : -1));
  if (in.opset() < 13) out.attributes.Set(kMarkSoftmax2D, int64_t{1});
}

void ConvertHardSigmoid(OnnxNode& in, Node& out) {
  ConvertPlain(in, out);
  out.attributes.Set("alpha", in.Float("alpha", static_cast<double>(0.2F)));
  out.attributes.Set("beta", in.Float("beta", 0.5));
}

void SetBound(OnnxNode& in, Node& out, int input, std::string_view name) {
  const auto bound = in.InputFloats(input, name);
  if (!bound) return;
  if (bound->size() != 1) in.Refuse("{} holds {} values, expected one", name, bound->size());
  out.attributes.Set(name, bound->front());
}

void ConvertClip(OnnxNode& in, Node& out) {
  out.inputs = {in.Input(0)};
  if (in.opset() < 11) {
    if (in.num_inputs() > 1) in.Refuse("has {} inputs, expected 1", in.num_inputs());
    for (const std::string_view name : {"min", "max"}) {
      if (in.HasAttribute(name)) out.attributes.Set(name, in.Float(name, 0));
    }
  } else {
    SetBound(in, out, 1, "min");
    SetBound(in, out, 2, "max");
  }
  for (const std::string_view name : {"min", "max"}) {
    if (std::isnan(out.attributes.Float(name, 0))) in.Refuse("{} is not a number", name);
  }
}

void ConvertDropout(OnnxNode& in, Node& out) {
  out.inputs = {in.Input(0)};
  double ratio = 0.5;
  if (in.opset() < 12) {
    ratio = in.Float("ratio", 0.5);
  } else {
    in.Int("seed", 0);
    const auto ratios = in.InputFloats(1, "ratio");
    if (ratios && ratios->size() == 1) ratio = ratios->front();
    const auto training = in.InputInts(2, "training_mode");
    if (training && !training->empty() && training->front() != 0) {
      in.Refuse("is in training mode; export the model for inference");
    }
  }
  if (!(ratio >= 0 && ratio <= 1)) in.Refuse("ratio is {}, expected 0 to 1", ratio);
  out.attributes.Set("ratio", ratio);
}

// Sorted by name; several rows for one operator when its form changed.
constexpr int64_t kFirst = kMinOnnxOpset;
constexpr int64_t kLast = kMaxOnnxOpset;
constexpr int kMany = 4096;
constexpr auto kOps = std::to_array<OnnxOp>({
    {"Add", OpType::kAdd, kFirst, kLast, 2, 2, ConvertPlain},
    {"AveragePool", OpType::kAveragePool, kFirst, kLast, 1, 1, ConvertAveragePool},
    {"BatchNormalization", OpType::kBatchNormalization, kFirst, kLast, 5, 5,
     ConvertBatchNormalization},
    {"Clip", OpType::kClip, kFirst, kLast, 1, 3, ConvertClip},
    {"Concat", OpType::kConcat, kFirst, kLast, 1, kMany, ConvertConcat},
    {"Conv", OpType::kConv, kFirst, kLast, 2, 3, ConvertConv},
    {"Dropout", OpType::kDropout, kFirst, 11, 1, 1, ConvertDropout},
    {"Dropout", OpType::kDropout, 12, kLast, 1, 3, ConvertDropout},
    {"Flatten", OpType::kFlatten, kFirst, kLast, 1, 1, ConvertFlatten},
    {"Gemm", OpType::kGemm, kFirst, 10, 3, 3, ConvertGemm},
    {"Gemm", OpType::kGemm, 11, kLast, 2, 3, ConvertGemm},
    {"GlobalAveragePool", OpType::kGlobalAveragePool, kFirst, kLast, 1, 1, ConvertPlain},
    {"HardSigmoid", OpType::kHardSigmoid, kFirst, kLast, 1, 1, ConvertHardSigmoid},
    {"HardSwish", OpType::kHardSwish, 14, kLast, 1, 1, ConvertPlain},
    {"Identity", OpType::kIdentity, kFirst, kLast, 1, 1, ConvertPlain},
    {"LRN", OpType::kLRN, kFirst, kLast, 1, 1, ConvertLrn},
    {"MatMul", OpType::kMatMul, kFirst, kLast, 2, 2, ConvertMatMul},
    {"MaxPool", OpType::kMaxPool, kFirst, kLast, 1, 1, ConvertMaxPool},
    {"Mul", OpType::kMul, kFirst, kLast, 2, 2, ConvertPlain},
    {"Pad", OpType::kPad, kFirst, 10, 1, 1, ConvertPad},
    {"Pad", OpType::kPad, 11, 17, 2, 3, ConvertPad},
    {"Pad", OpType::kPad, 18, kLast, 2, 4, ConvertPad},
    {"ReduceMean", OpType::kReduceMean, kFirst, 17, 1, 1, ConvertReduceMean},
    {"ReduceMean", OpType::kReduceMean, 18, kLast, 1, 2, ConvertReduceMean},
    {"Relu", OpType::kRelu, kFirst, kLast, 1, 1, ConvertPlain},
    {"Reshape", OpType::kReshape, kFirst, kLast, 2, 2, ConvertReshape},
    {"Resize", OpType::kResize, 10, 10, 2, 2, ConvertResize},
    {"Resize", OpType::kResize, 11, kLast, 1, 4, ConvertResize},
    {"Sigmoid", OpType::kSigmoid, kFirst, kLast, 1, 1, ConvertPlain},
    {"Slice", OpType::kSlice, kFirst, 9, 1, 1, ConvertSlice},
    {"Slice", OpType::kSlice, 10, kLast, 3, 5, ConvertSlice},
    {"Softmax", OpType::kSoftmax, kFirst, kLast, 1, 1, ConvertSoftmax},
    {"Split", OpType::kSplit, kFirst, 12, 1, 1, ConvertSplit},
    {"Split", OpType::kSplit, 13, kLast, 1, 2, ConvertSplit},
    {"Transpose", OpType::kTranspose, kFirst, kLast, 1, 1, ConvertTranspose},
    {"Upsample", OpType::kResize, kFirst, 9, 2, 2, ConvertUpsample},
});

}  // namespace

const OnnxOp* FindOnnxOp(std::string_view name, int64_t opset) {
  for (const OnnxOp& op : kOps) {
    if (op.name == name && op.since <= opset && opset <= op.until) return &op;
  }
  return nullptr;
}

std::string SupportedOnnxOps() {
  std::set<std::string_view> names = {"Constant"};
  for (const OnnxOp& op : kOps) names.insert(op.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace sparsify

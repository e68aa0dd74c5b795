// Decoding of ONNX tensors: every size is checked against the bytes that are really there
// before anything is allocated. Knows raw, typed and external data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

namespace pb {
class TensorProto;
}

/// Files beside a model that hold tensor data.
class OnnxExternalData {
 public:
  /// `folder`: the model's; none refuses external data. `budget`: bytes that all reads
  /// together may take.
  OnnxExternalData(std::optional<std::string> folder, int64_t budget)
      : folder_(std::move(folder)), budget_(budget) {}

  /// Exactly `bytes` bytes of `tensor`. Throws Error ("where: …") when its location leaves
  /// the folder, the file is missing or too short, or its length disagrees.
  std::string Read(const std::string& where, const pb::TensorProto& tensor, int64_t bytes);

 private:
  std::optional<std::string> folder_;
  int64_t budget_;
};

/// "float16" for 10 …
std::string_view OnnxTypeName(int data_type);
/// float, float16, bfloat16 and double: what is read as float32.
bool IsOnnxFloatType(int data_type);

/// Values of a float tensor as float32. Throws for other types and for damaged tensors.
Tensor DecodeOnnxFloats(const std::string& where, const pb::TensorProto& tensor,
                        OnnxExternalData& external);

/// Values of a small bool, int32 or int64 tensor (at most 256 elements, rank at most 1).
std::vector<int64_t> DecodeOnnxInts(const std::string& where, const pb::TensorProto& tensor,
                                    OnnxExternalData& external);

}  // namespace sparsify

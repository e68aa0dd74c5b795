// The dense baseline of the kernel bench: one oneDNN convolution in the layouts it prefers,
// bias and ReLU fused.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sparsity/executor/kernels/conv_geometry.h"

namespace sparsify::bench {

class DenseConv {
 public:
  /// x: batch×in×h×w; weight: out×in/groups×kernel_h×kernel_w; bias: out.
  DenseConv(const ConvGeometry& geometry, const std::vector<float>& x,
            const std::vector<float>& weight, const std::vector<float>& bias);
  ~DenseConv();

  void Run();
  /// The output of the last Run, batch×out×h×w.
  std::vector<float> Plain();
  /// "jit:avx512_core"
  const std::string& name() const { return name_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string name_;
};

}  // namespace sparsify::bench

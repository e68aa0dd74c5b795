// What the kernel tests share: buffers that fault when they are overrun, naive conversion
// between plain tensors and lanes, and a naive double-precision convolution with the bound
// on its rounding error.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "sparsity/base/random.h"
#include "sparsity/executor/isa.h"
#include "sparsity/executor/kernels/conv_geometry.h"
#include "sparsity/executor/kernels/epilogue.h"
#include "sparsity/executor/kernels/lane_tensor.h"

namespace sparsify::testing {

/// Memory that ends at an inaccessible page and begins behind another one; 64-byte aligned.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(int64_t bytes);
  ~GuardedBuffer();
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  void* data() const { return data_; }
  float* floats() const { return static_cast<float*>(data_); }
  /// Whether the bytes between the first page and data() are as they were.
  bool FrontIntact() const;

 private:
  char* map_ = nullptr;
  int64_t map_bytes_ = 0;
  void* data_ = nullptr;
};

/// A lane tensor in a guarded buffer. New: interior 0, halo 0, every other float kFiller.
class GuardedLanes {
 public:
  static constexpr float kFiller = 3.25F;

  explicit GuardedLanes(const LaneShape& shape);
  LaneView view() const { return {buffer_.floats(), shape_}; }
  /// plain: batch×channels×height×width.
  void Fill(const std::vector<float>& plain);
  std::vector<float> Plain() const;
  /// The halo is still 0 and nothing was written in front of the buffer.
  bool Intact() const;

 private:
  template <class Body>
  void ForHalo(const Body& body) const;

  LaneShape shape_;
  GuardedBuffer buffer_;
};

/// Values in [-1, 1).
std::vector<float> RandomFloats(int64_t count, Random& random);
/// The same, each zero with probability 1 - density.
std::vector<float> RandomSparse(int64_t count, double density, Random& random);

struct Reference {
  std::vector<double> value;
  std::vector<double> bound;  // on the error of a float result, from its terms' magnitudes
};

/// residual: batch×out×out_h×out_w or empty; bias: out or empty.
Reference NaiveConv(const ConvGeometry& geometry, const std::vector<float>& x,
                    const std::vector<float>& weight, const std::vector<float>& bias,
                    const std::vector<float>& residual, const Activation& activation);

double NaiveActivate(const Activation& activation, double x);

/// Fails, naming the worst element, unless every |actual - value| <= bound.
::testing::AssertionResult Near(const std::vector<float>& actual, const Reference& expected);

/// Skips the test, with the reason, when this processor lacks `isa`.
#define SPARSIFY_SKIP_WITHOUT(isa)                                       \
  if (!IsaSupported(isa)) {                                              \
    GTEST_SKIP() << IsaName(isa) << " is not supported by this machine"; \
  }                                                                      \
  static_assert(true)

/// A geometry with the output size that pads and stride give; lanes and halos as passed.
ConvGeometry MakeGeometry(int64_t batch, int64_t in, int64_t out, int64_t size, int64_t kernel,
                          int64_t stride, int64_t pad, int lanes);
void SetOutputSize(ConvGeometry& geometry);

}  // namespace sparsify::testing

#include "sparsity/training/adam.h"

#include <algorithm>
#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

struct Coefficients {
  float beta1 = 0;
  float rest1 = 0;  // 1 − β₁, rounded once
  float beta2 = 0;
  float rest2 = 0;
  float rate = 0;     // over 1 − β₁ᵗ
  float spread = 0;   // 1 / √(1 − β₂ᵗ)
  float epsilon = 0;  // added to √v̂
};

// The loop that a compiler turns into vector code; square roots need -fno-math-errno for that.
void Update(const Coefficients& c, float scale, int64_t count, const float* gradient, float* mean,
            float* square, float* parameter) {
  const float rate = c.rate * scale;
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i];
    const float m = c.beta1 * mean[i] + c.rest1 * g;
    const float v = c.beta2 * square[i] + c.rest2 * g * g;
    mean[i] = m;
    square[i] = v;
    parameter[i] -= rate * m / (std::sqrt(v) * c.spread + c.epsilon);
  }
}

}  // namespace

Adam::Adam(int64_t size, const AdamOptions& options)
    : options_(options), mean_(Shape{size}), square_(Shape{size}) {}

void Adam::Step(const Tensor& gradient, double rate, std::span<const float> scales,
                Tensor& parameter) {
  const int64_t size = mean_.size();
  const int64_t parts = std::max<int64_t>(1, std::ssize(scales));
  if (gradient.size() != size || parameter.size() != size || size % parts != 0) {
    Fail("adam", "made for {} elements, given {} of the parameter, {} of the gradient, {} scales",
         size, parameter.size(), gradient.size(), scales.size());
  }
  ++steps_;
  const auto t = static_cast<double>(steps_);
  Coefficients c;
  c.beta1 = static_cast<float>(options_.beta1);
  c.rest1 = static_cast<float>(1 - options_.beta1);
  c.beta2 = static_cast<float>(options_.beta2);
  c.rest2 = static_cast<float>(1 - options_.beta2);
  c.rate = static_cast<float>(rate / (1 - std::pow(options_.beta1, t)));
  c.spread = static_cast<float>(1 / std::sqrt(1 - std::pow(options_.beta2, t)));
  c.epsilon = static_cast<float>(options_.epsilon);
  const int64_t length = std::max<int64_t>(1, size / parts);
  constexpr int64_t kChunk = 1 << 14;
  ParallelFor((size + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const int64_t end = std::min(size, (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end;) {
      const int64_t part = i / length;
      const int64_t stop = std::min(end, (part + 1) * length);
      Update(c, scales.empty() ? 1.0F : scales[static_cast<size_t>(part)], stop - i,
             gradient.data() + i, mean_.data() + i, square_.data() + i, parameter.data() + i);
      i = stop;
    }
  });
}

}  // namespace sparsify

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
  float decay = 0;    // of the parameter, in the gradient
  float shrink = 1;   // the parameter's factor beside the gradient
};

// The elements [begin, end) of these, all of one size.
struct Arrays {
  const float* gradient;
  const float* keep;  // kMasked only
  float* mean;
  float* square;
  float* parameter;
};

// The loop that a compiler turns into vector code; square roots need -fno-math-errno for that.
template <bool kMasked>
void Update(const Coefficients& c, float scale, const Arrays& arrays, int64_t begin, int64_t end) {
  const auto [gradient, keep, mean, square, parameter] = arrays;
  const float rate = c.rate * scale;
  for (int64_t i = begin; i < end; ++i) {
    const float p = parameter[i];
    const float g = gradient[i] + c.decay * p;
    const float m = c.beta1 * mean[i] + c.rest1 * g;
    const float v = c.beta2 * square[i] + c.rest2 * g * g;
    const float next = c.shrink * p - rate * m / (std::sqrt(v) * c.spread + c.epsilon);
    const bool kept = !kMasked || keep[i] != 0;
    mean[i] = kept ? m : 0;
    square[i] = kept ? v : 0;
    parameter[i] = kept ? next : p;
  }
}

Coefficients CoefficientsOf(const AdamOptions& options, double rate, int64_t step) {
  const auto t = static_cast<double>(step);
  Coefficients c;
  c.beta1 = static_cast<float>(options.beta1);
  c.rest1 = static_cast<float>(1 - options.beta1);
  c.beta2 = static_cast<float>(options.beta2);
  c.rest2 = static_cast<float>(1 - options.beta2);
  c.rate = static_cast<float>(rate / (1 - std::pow(options.beta1, t)));
  c.spread = static_cast<float>(1 / std::sqrt(1 - std::pow(options.beta2, t)));
  c.epsilon = static_cast<float>(options.epsilon);
  if (options.decoupled) {
    c.shrink = static_cast<float>(1 - rate * options.weight_decay);
  } else {
    c.decay = static_cast<float>(options.weight_decay);
  }
  return c;
}

}  // namespace

Adam::Adam(int64_t size, const AdamOptions& options)
    : options_(options), mean_(Shape{size}), square_(Shape{size}) {}

void Adam::Step(const Tensor& gradient, double rate, std::span<const float> scales,
                Tensor& parameter, const Tensor* keep) {
  const int64_t size = mean_.size();
  const int64_t parts = std::max<int64_t>(1, std::ssize(scales));
  if (gradient.size() != size || parameter.size() != size || size % parts != 0) {
    Fail("adam", "made for {} elements, given {} of the parameter, {} of the gradient, {} scales",
         size, parameter.size(), gradient.size(), scales.size());
  }
  if (keep != nullptr && keep->size() != size) {
    Fail("adam", "made for {} elements, given a mask of {}", size, keep->size());
  }
  const Coefficients c = CoefficientsOf(options_, rate, ++steps_);
  const Arrays arrays = {gradient.data(), keep == nullptr ? nullptr : keep->data(), mean_.data(),
                         square_.data(), parameter.data()};
  const auto update = keep == nullptr ? Update<false> : Update<true>;
  const int64_t length = std::max<int64_t>(1, size / parts);
  constexpr int64_t kChunk = 1 << 14;
  ParallelFor((size + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const int64_t end = std::min(size, (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end;) {
      const int64_t part = i / length;
      const int64_t stop = std::min(end, (part + 1) * length);
      update(c, scales.empty() ? 1.0F : scales[static_cast<size_t>(part)], arrays, i, stop);
      i = stop;
    }
  });
}

void Adam::Forget() {
  steps_ = 0;
  mean_.Fill(0);
  square_.Fill(0);
}

void Adam::Restore(const Tensor& mean, const Tensor& square, int64_t steps) {
  if (mean.size() != mean_.size() || square.size() != square_.size()) {
    Fail("adam", "made for {} elements, given moments of {} and {}", mean_.size(), mean.size(),
         square.size());
  }
  std::copy_n(mean.data(), mean.size(), mean_.data());
  std::copy_n(square.data(), square.size(), square_.data());
  steps_ = steps;
}

}  // namespace sparsify

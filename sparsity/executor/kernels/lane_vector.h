// Vectors of floats for the files that are compiled once per instruction set, and the
// activations on them. Everything has internal linkage: each compilation is its own.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "sparsity/executor/kernels/epilogue.h"

namespace sparsify {
namespace {

template <int kFloats>
struct VectorOf;
template <>
struct VectorOf<8> {
  using Float = float __attribute__((vector_size(32)));
  using Int = int32_t __attribute__((vector_size(32)));
};
template <>
struct VectorOf<16> {
  using Float = float __attribute__((vector_size(64)));
  using Int = int32_t __attribute__((vector_size(64)));
};
template <int kFloats>
using Vec = typename VectorOf<kFloats>::Float;

template <class V>
V LoadVector(const float* from) {
  V v;
  std::memcpy(&v, from, sizeof(V));
  return v;
}

template <class V>
void StoreVector(float* to, const V& v) {
  std::memcpy(to, &v, sizeof(V));
}

template <class V>
V Broadcast(float x) {
  return x - V{};
}

/// exp(-x) by 2^n · 2^f, |f| <= 1/2, a polynomial of degree 6: relative error below 2^-22.
template <class V>
V ExpOfMinus(V x) {
  using Int = typename VectorOf<sizeof(V) / sizeof(float)>::Int;
  constexpr float kRound = 12582912.0F;  // 1.5 · 2^23: adding it rounds to an integer
  constexpr float kLimit = 126.0F;
  V t = x * -1.44269504F;
  t = t > kLimit ? Broadcast<V>(kLimit) : t;
  t = t < -kLimit ? Broadcast<V>(-kLimit) : t;
  const V n = (t + kRound) - kRound;
  const V f = t - n;
  V p = f * 1.5403530e-4F + 1.3333558e-3F;
  p = p * f + 9.6181291e-3F;
  p = p * f + 5.5504109e-2F;
  p = p * f + 2.4022651e-1F;
  p = p * f + 6.9314718e-1F;
  p = p * f + 1.0F;
  const Int exponent = (__builtin_convertvector(n, Int) + 127) << 23;
  V scale;
  std::memcpy(&scale, &exponent, sizeof(V));
  return p * scale;
}

template <class V>
V Clamp(V x, float low, float high) {
  x = x < low ? Broadcast<V>(low) : x;
  return x > high ? Broadcast<V>(high) : x;
}

template <class V>
V ActivateVector(const Activation& activation, V x) {
  switch (activation.kind) {
    case ActivationKind::kNone:
      return x;
    case ActivationKind::kRelu:
      return x < 0 ? V{} : x;
    case ActivationKind::kClip:
      return Clamp(x, activation.alpha, activation.beta);
    case ActivationKind::kHardSigmoid:
      return Clamp(x * activation.alpha + activation.beta, 0, 1);
    case ActivationKind::kHardSwish:
      return x * Clamp(x * (1.0F / 6.0F) + 0.5F, 0, 1);
    case ActivationKind::kSigmoid:
      return 1.0F / (1.0F + ExpOfMinus(x));
    case ActivationKind::kSilu:
      return x / (1.0F + ExpOfMinus(x));
  }
  return x;
}

}  // namespace
}  // namespace sparsify

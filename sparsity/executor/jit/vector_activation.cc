#include "sparsity/executor/jit/vector_activation.h"

#include <bit>
#include <type_traits>

namespace sparsify {
namespace {

constexpr float kLog2E = 1.44269504F;
/// 2^f on [-1/2, 1/2]: the Taylor series of exp(f ln 2) to the sixth power; error 2^-25.
constexpr std::array<float, 7> kExp2 = {1.5403530e-4F, 1.3333558e-3F, 9.6181291e-3F, 5.5504109e-2F,
                                        2.4022651e-1F, 6.9314718e-1F, 1.0F};
constexpr float kMaxExponent = 126.0F;

}  // namespace

template <class Vector>
VectorActivation<Vector>::VectorActivation(Xbyak::CodeGenerator& code, const Activation& activation,
                                           std::array<int, 3> temporaries)
    : code_(code), activation_(activation), temporaries_(temporaries) {}

template <class Vector>
Xbyak::Address VectorActivation<Vector>::Constant(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  for (Entry& entry : constants_) {
    if (entry.bits == bits) return code_.ptr[code_.rip + entry.label];
  }
  constants_.push_back({bits, Xbyak::Label()});
  return code_.ptr[code_.rip + constants_.back().label];
}

template <class Vector>
void VectorActivation<Vector>::EmitConstants() {
  constexpr int kFloats = std::is_same_v<Vector, Xbyak::Zmm> ? 16 : 8;
  for (Entry& entry : constants_) {
    code_.align(64);
    code_.L(entry.label);
    for (int i = 0; i < kFloats; ++i) code_.dd(entry.bits);
  }
}

template <class Vector>
void VectorActivation<Vector>::Prepare() {
  const Vector a(temporaries_[0]);
  const Vector b(temporaries_[1]);
  switch (activation_.kind) {
    case ActivationKind::kNone:
      return;
    case ActivationKind::kRelu:
      code_.vxorps(Xbyak::Xmm(a.getIdx()), Xbyak::Xmm(a.getIdx()), Xbyak::Xmm(a.getIdx()));
      return;
    case ActivationKind::kClip:
      code_.vmovups(a, Constant(activation_.alpha));
      code_.vmovups(b, Constant(activation_.beta));
      return;
    case ActivationKind::kHardSigmoid:
      code_.vmovups(a, Constant(activation_.alpha));
      return;
    case ActivationKind::kHardSwish:
      code_.vmovups(a, Constant(1.0F / 6.0F));
      return;
    case ActivationKind::kSigmoid:
    case ActivationKind::kSilu:
      return;
  }
}

template <class Vector>
void VectorActivation<Vector>::Apply(const Vector& x) {
  const Vector a(temporaries_[0]);
  const Vector b(temporaries_[1]);
  switch (activation_.kind) {  // maxps and minps return their second operand when one is NaN
    case ActivationKind::kNone:
      return;
    case ActivationKind::kRelu:
      code_.vmaxps(x, a, x);
      return;
    case ActivationKind::kClip:
      code_.vmaxps(x, a, x);
      code_.vminps(x, b, x);
      return;
    case ActivationKind::kHardSigmoid:
      code_.vfmadd213ps(x, a, Constant(activation_.beta));
      code_.vmaxps(x, x, Constant(0.0F));
      code_.vminps(x, x, Constant(1.0F));
      return;
    case ActivationKind::kHardSwish:
      code_.vmovaps(b, x);
      code_.vfmadd213ps(b, a, Constant(0.5F));
      code_.vmaxps(b, b, Constant(0.0F));
      code_.vminps(b, b, Constant(1.0F));
      code_.vmulps(x, x, b);
      return;
    case ActivationKind::kSigmoid:
      return Sigmoid(x, false);
    case ActivationKind::kSilu:
      return Sigmoid(x, true);
  }
}

/// p = 2^t, t destroyed: the integer part goes to the exponent, the rest through kExp2.
template <class Vector>
void VectorActivation<Vector>::Exp2(const Vector& t, const Vector& p) {
  const Vector n(temporaries_[2]);
  constexpr int kNearest = 8;  // round to nearest even, no exceptions
  code_.vmaxps(t, t, Constant(-kMaxExponent));
  code_.vminps(t, t, Constant(kMaxExponent));
  if constexpr (std::is_same_v<Vector, Xbyak::Zmm>) {
    code_.vrndscaleps(n, t, kNearest);
  } else {
    code_.vroundps(n, t, kNearest);
  }
  code_.vsubps(t, t, n);
  code_.vmovups(p, Constant(kExp2[0]));
  for (size_t i = 1; i < kExp2.size(); ++i) code_.vfmadd213ps(p, t, Constant(kExp2[i]));
  if constexpr (std::is_same_v<Vector, Xbyak::Zmm>) {
    code_.vscalefps(p, p, n);
  } else {
    code_.vcvtps2dq(n, n);
    code_.vpslld(n, n, 23);
    code_.vpaddd(p, p, n);
  }
}

template <class Vector>
void VectorActivation<Vector>::Sigmoid(const Vector& x, bool times_x) {
  const Vector t(temporaries_[0]);
  const Vector p(temporaries_[1]);
  code_.vmulps(t, x, Constant(-kLog2E));
  Exp2(t, p);
  code_.vaddps(p, p, Constant(1.0F));
  if (!times_x) code_.vmovups(x, Constant(1.0F));
  code_.vdivps(x, x, p);
}

template class VectorActivation<Xbyak::Ymm>;
template class VectorActivation<Xbyak::Zmm>;

}  // namespace sparsify

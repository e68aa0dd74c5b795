// Emits an activation on a vector register.
#pragma once

#include <xbyak/xbyak.h>

#include <array>
#include <cstdint>
#include <vector>

#include "sparsity/executor/kernels/epilogue.h"

namespace sparsify {

/// Emits code for one activation into `code`, for registers of kind `Vector` (Ymm or Zmm).
template <class Vector>
class VectorActivation {
 public:
  /// `temporaries`: three registers free to overwrite; they hold state between Prepare and
  /// the last Apply.
  VectorActivation(Xbyak::CodeGenerator& code, const Activation& activation,
                   std::array<int, 3> temporaries);

  /// Emits what all vectors share.
  void Prepare();
  /// Emits x = activation(x).
  void Apply(const Vector& x);
  /// Emits the constants; call once, past the end of the code.
  void EmitConstants();

 private:
  Xbyak::Address Constant(float value);
  void Exp2(const Vector& t, const Vector& p);
  void Sigmoid(const Vector& x, bool times_x);

  Xbyak::CodeGenerator& code_;
  Activation activation_;
  std::array<int, 3> temporaries_;
  struct Entry {
    uint32_t bits;
    Xbyak::Label label;
  };
  std::vector<Entry> constants_;
};

}  // namespace sparsify

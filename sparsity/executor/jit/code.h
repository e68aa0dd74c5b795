// Generated code in memory that is writable while it is being written and executable
// afterwards, never both.
#pragma once

#if !defined(__x86_64__)
#error "the assembler generates x86-64 code"
#endif

#include <xbyak/xbyak.h>

#include <cstddef>

namespace sparsify {

/// Base of the generators. A derived constructor emits the code, then calls Seal().
class Code : protected Xbyak::CodeGenerator {
 public:
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

 protected:
  /// `bytes` bounds the code; exceeding it throws Xbyak::Error.
  explicit Code(size_t bytes) : Xbyak::CodeGenerator(bytes, Xbyak::DontSetProtectRWE) {}
  ~Code() = default;

  /// Resolves labels and makes the memory read-only and executable; returns the entry.
  template <class Function>
  Function Seal() {
    readyRE();
    return getCode<Function>();
  }
};

}  // namespace sparsify

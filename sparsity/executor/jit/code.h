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

  /// Makes the memory executable and no longer writable; returns the entry. Throws
  /// Xbyak::Error when a label is missing or the system refuses.
  template <class Function>
  Function Seal() {
    ready();
    setProtectModeRE();
    return getCode<Function>();
  }
};

}  // namespace sparsify

// 64-bit FNV-1a: a fingerprint of data for finding out that something is what it was. No defence
// against intent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sparsify {

class Fnv1a {
 public:
  void Bytes(const void* data, size_t size);
  /// With its length, so that "ab", "c" and "a", "bc" differ.
  void Text(std::string_view text);
  void Number(uint64_t value) { Bytes(&value, sizeof value); }
  /// Much data, some ten times faster than Bytes: its words in four turns, then their hashes.
  void Floats(std::span<const float> values);
  uint64_t value() const { return state_; }
  /// 16 hexadecimal digits.
  std::string Hex() const;

 private:
  uint64_t state_ = 0xcbf29ce484222325ULL;
};

}  // namespace sparsify

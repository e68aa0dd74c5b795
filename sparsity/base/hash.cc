#include "sparsity/base/hash.h"

#include <fmt/format.h>

#include <bit>

namespace sparsify {
namespace {

constexpr uint64_t kPrime = 0x100000001b3ULL;
constexpr uint64_t kOffset = 0xcbf29ce484222325ULL;

}  // namespace

void Fnv1a::Bytes(const void* data, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < size; ++i) state_ = (state_ ^ bytes[i]) * kPrime;
}

void Fnv1a::Text(std::string_view text) {
  Number(text.size());
  Bytes(text.data(), text.size());
}

void Fnv1a::Floats(std::span<const float> values) {
  constexpr size_t kTurns = 4;
  uint64_t states[kTurns];
  for (size_t t = 0; t < kTurns; ++t) states[t] = kOffset + t;
  const size_t whole = values.size() / kTurns * kTurns;
  for (size_t i = 0; i < whole; i += kTurns) {
    for (size_t t = 0; t < kTurns; ++t) {
      states[t] = (states[t] ^ std::bit_cast<uint32_t>(values[i + t])) * kPrime;
    }
  }
  for (size_t i = whole; i < values.size(); ++i) {
    states[0] = (states[0] ^ std::bit_cast<uint32_t>(values[i])) * kPrime;
  }
  Number(values.size());
  for (const uint64_t state : states) Number(state);
}

std::string Fnv1a::Hex() const { return fmt::format("{:016x}", state_); }

}  // namespace sparsify

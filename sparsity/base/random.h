// Seeded random numbers that are equal on every platform and library.
//
// xoshiro256++ (Blackman & Vigna, 2019) seeded by splitmix64. The standard library's
// distributions differ between implementations, so the few needed here are our own.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace sparsify {

class Random {
 public:
  explicit Random(uint64_t seed);
  /// A stream of its own for a (seed, index) pair, e.g. one per layer.
  Random(uint64_t seed, uint64_t stream);

  uint64_t NextBits();
  /// Uniform in [0, 1) with 53 random bits.
  double Uniform();
  /// Uniform integer in [0, bound), bound >= 1, without modulo bias.
  uint64_t Below(uint64_t bound);
  /// Standard normal (Marsaglia polar method).
  double Normal();
  /// A uniformly random permutation of 0 … n-1 (Fisher–Yates).
  std::vector<int64_t> Permutation(int64_t n);

  const std::array<uint64_t, 4>& state() const { return state_; }
  void set_state(const std::array<uint64_t, 4>& state) { state_ = state; }

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace sparsify

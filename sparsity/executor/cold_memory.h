// Operands for timing a kernel as it runs within a network that is larger than the cache.
//
// Run again and again on the same operands a kernel finds all of them in the cache. In a network
// its weights and the memory of its results were last touched an inference ago; only what it reads
// was just written by the step before.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sparsity/executor/arena.h"

namespace sparsify {

class ColdMemory {
 public:
  /// What follows in the private cache of this core (PrivateCacheBytes) is not what was there.
  void Evict();

  /// For one run: operands of so many bytes each, random floats that this core was the last to
  /// write. They do not overlap, and hold until the next call.
  std::vector<float*> Inputs(std::span<const int64_t> bytes);

  /// As Inputs, but memory that was not touched for as long as possible.
  std::vector<float*> Outputs(std::span<const int64_t> bytes);

 private:
  /// Hands out one part of its memory after the other.
  struct Ring {
    AlignedBuffer memory;
    int64_t next = 0;

    /// Whether the memory is new.
    bool Reserve(int64_t bytes);
    /// Parts of so many bytes each, out of what Reserve(TotalBytes(bytes)) made room for.
    std::vector<float*> Take(std::span<const int64_t> bytes);
  };

  Ring inputs_;
  Ring outputs_;
  AlignedBuffer other_;  // what evicts
};

/// Fills it with random floats, a short pattern repeated.
void FillRandom(AlignedBuffer& memory, uint64_t seed);

/// Writes every line of the memory again, with what it holds.
void TouchLines(float* memory, int64_t bytes);

}  // namespace sparsify

// Operands for timing a kernel as it runs within a network that is larger than the cache.
//
// Run again and again on the same operands a kernel finds all of them in the cache. In a network
// its weights and the memory of its results were last touched an inference ago; only what it reads
// was just written by the step before.
#pragma once

#include <cstdint>

#include "sparsity/executor/arena.h"

namespace sparsify {

class ColdMemory {
 public:
  /// What follows in the private cache of this core (PrivateCacheBytes) is not what was there.
  void Evict();

  /// Random floats, at least `bytes`, that this core was the last to write.
  float* Input(int64_t bytes);

  /// Memory of at least `bytes` that was not touched for as long as possible.
  float* Output(int64_t bytes);

 private:
  /// Hands out one part of its memory after the other.
  struct Ring {
    AlignedBuffer memory;
    int64_t next = 0;

    /// Whether the memory is new.
    bool Reserve(int64_t bytes);
    std::byte* Take(int64_t bytes);
  };

  Ring inputs_;
  Ring outputs_;
  AlignedBuffer other_;  // what evicts
};

/// `bytes` of random floats, a short pattern repeated.
void FillRandom(AlignedBuffer& memory, uint64_t seed);

/// Writes every line of the memory again, with what it holds.
void TouchLines(float* memory, int64_t bytes);

}  // namespace sparsify

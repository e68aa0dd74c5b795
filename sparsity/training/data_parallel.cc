#include "sparsity/training/data_parallel.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

// FNV-1a, eight bytes at a time.
class StateHash {
 public:
  void Add(uint64_t word) { hash_ = (hash_ ^ word) * 0x100000001b3ULL; }

  void Add(const void* data, size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    Add(size);
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, bytes + at, std::min(sizeof word, size - at));
      Add(word);
      hash_ ^= hash_ >> 32;  // products alone carry upwards only
    }
  }

  void Add(const std::map<std::string, Tensor>& tensors) {
    for (const auto& [name, tensor] : tensors) {
      Add(name.data(), name.size());
      Add(tensor.data(), static_cast<size_t>(tensor.size()) * sizeof(float));
    }
  }

  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xcbf29ce484222325ULL;
};

uint64_t HashOf(const TrainingState& state) {
  StateHash hash;
  hash.Add(static_cast<uint64_t>(state.step));
  hash.Add(static_cast<uint64_t>(state.position));
  hash.Add(state.parameters);
  hash.Add(state.optimizer);
  hash.Add(state.rule);
  for (const auto& [name, mask] : state.masks) {
    hash.Add(name.data(), name.size());
    hash.Add(mask.bytes().data(), mask.bytes().size());
  }
  return hash.value();
}

}  // namespace

BatchRows RowsOfRank(int64_t batch, const Communicator& ranks) {
  return {batch * ranks.Rank() / ranks.Size(), batch * (ranks.Rank() + 1) / ranks.Size()};
}

void SumGradients(Communicator& ranks, bool counts, std::map<ValueId, Tensor>& gradients) {
  if (ranks.Size() == 1) return;
  std::vector<float> all;
  for (auto& [id, gradient] : gradients) {
    if (!counts) gradient.Fill(0);
    const auto values = gradient.values();
    all.insert(all.end(), values.begin(), values.end());
  }
  ranks.AllReduceSum(all);
  auto next = all.begin();
  for (auto& [id, gradient] : gradients) {
    std::copy_n(next, gradient.size(), gradient.data());
    next += gradient.size();
  }
}

void CheckSameState(Communicator& ranks, const TrainingState& state, const std::string& when) {
  if (ranks.Size() == 1) return;
  const std::vector<uint64_t> hashes = ranks.Gather(HashOf(state));
  for (size_t rank = 1; rank < hashes.size(); ++rank) {
    if (hashes[rank] == hashes[0]) continue;
    Fail("training",
         "{} rank {} holds other parameters than rank 0; all must read the same files (network, "
         "run folder) and run on machines of one kind; what was saved before is good",
         when, rank);
  }
}

}  // namespace sparsify

// The processes ("ranks") that work on one run together: what they add up and tell each other.
// Alone by default; mpi_session.h makes those that mpirun has started.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sparsify {

/// A process that works alone: nothing happens in any of the calls. What derives from it overrides
/// all of them. Every rank makes the same calls in the same order, with as many values, from one
/// thread.
class Communicator {
 public:
  Communicator() = default;
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int Rank() const { return rank_; }
  int Size() const { return size_; }
  /// Whether this rank writes files and speaks.
  bool IsFirst() const { return rank_ == 0; }

  /// Each value becomes the sum of that value over the ranks, added in the order of the ranks: the
  /// same bits on every rank, and in every run with as many ranks.
  virtual void AllReduceSum(std::span<float> values);
  virtual void AllReduceSum(std::span<double> values);
  /// Rank 0's bytes come to every rank.
  virtual void Broadcast(std::span<std::byte> bytes);
  /// Returns when every rank has called it. Waits asleep, for work of one rank that takes long or
  /// that is timed. Throws Error(kInterrupted) when a signal comes meanwhile.
  virtual void Meet();

  // What follows is made of the calls above.

  bool AnyOf(bool mine);
  /// Of counts up to 2^53.
  int64_t Sum(int64_t mine);
  /// Rank 0's; the others' is ignored.
  std::string FromFirst(std::string_view text);
  bool FirstDecides(bool value);
  /// `number` of every rank, by rank.
  std::vector<uint64_t> Gather(uint64_t number);
  /// Rank 0 runs `body` while the others wait asleep. An Error of it is every rank's.
  void FirstAlone(const std::function<void()>& body);

 protected:
  /// Throws Error unless 0 <= rank < size.
  Communicator(int rank, int size);

 private:
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace sparsify

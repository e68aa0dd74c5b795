#include "sparsity/base/communicator.h"

#include "sparsity/base/error.h"

namespace sparsify {

Communicator::Communicator(int rank, int size) : rank_(rank), size_(size) {
  if (rank < 0 || rank >= size) Fail("ranks", "rank {} of {}", rank, size);
}

void Communicator::AllReduceSum(std::span<float> /*values*/) {}
void Communicator::AllReduceSum(std::span<double> /*values*/) {}
void Communicator::Broadcast(std::span<std::byte> /*bytes*/) {}
void Communicator::Meet() {}

bool Communicator::AnyOf(bool mine) { return Sum(mine ? 1 : 0) > 0; }

int64_t Communicator::Sum(int64_t mine) {
  auto sum = static_cast<double>(mine);
  AllReduceSum({&sum, 1});
  return static_cast<int64_t>(sum);
}

std::string Communicator::FromFirst(std::string_view text) {
  uint64_t size = text.size();
  Broadcast(std::as_writable_bytes(std::span(&size, 1)));
  std::string result(IsFirst() ? text : std::string_view());
  result.resize(size);
  Broadcast(std::as_writable_bytes(std::span(result)));
  return result;
}

bool Communicator::FirstDecides(bool value) {
  Broadcast(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

void Communicator::FirstAlone(const std::function<void()>& body) {
  if (size_ == 1) return body();
  std::string failure;  // kind and message
  if (IsFirst()) {
    try {
      body();
    } catch (const Error& error) {
      failure = static_cast<char>(error.kind()) + std::string(error.what());
    }
  }
  Meet();
  failure = FromFirst(failure);
  if (!failure.empty()) throw Error(static_cast<ErrorKind>(failure[0]), failure.substr(1));
}

// Sums carry half a number exactly.
std::vector<uint64_t> Communicator::Gather(uint64_t number) {
  constexpr uint64_t kHalf = uint64_t{1} << 32;
  const auto at = static_cast<size_t>(rank_);
  std::vector<double> halves(2 * static_cast<size_t>(size_));
  halves[2 * at] = static_cast<double>(number / kHalf);
  halves[2 * at + 1] = static_cast<double>(number % kHalf);
  AllReduceSum(halves);
  std::vector<uint64_t> numbers;
  for (size_t i = 0; i < halves.size(); i += 2) {
    numbers.push_back(static_cast<uint64_t>(halves[i]) * kHalf +
                      static_cast<uint64_t>(halves[i + 1]));
  }
  return numbers;
}

}  // namespace sparsify

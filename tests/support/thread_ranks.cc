#include "tests/support/thread_ranks.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"

namespace sparsify::testing {
namespace {

// Where the ranks lay their values down: all come, all look, all go.
class Table {
 public:
  explicit Table(int size) : values_(static_cast<size_t>(size)) {}

  // Returns what every rank has brought, by rank.
  std::vector<std::vector<double>> Exchange(int rank, std::vector<double> mine) {
    std::unique_lock lock(mutex_);
    values_[static_cast<size_t>(rank)] = std::move(mine);
    Wait(lock);
    auto all = values_;
    Wait(lock);
    return all;
  }

  void Fail(std::exception_ptr error) {
    const std::scoped_lock lock(mutex_);
    if (!error_) error_ = std::move(error);
    changed_.notify_all();
  }

  void Rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void Wait(std::unique_lock<std::mutex>& lock) {
    const int64_t round = rounds_;
    if (++waiting_ == std::ssize(values_)) {
      waiting_ = 0;
      ++rounds_;
      changed_.notify_all();
    }
    changed_.wait(lock, [&] { return rounds_ != round || error_; });
    if (rounds_ == round) throw Error(ErrorKind::kRun, "another rank has failed");
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<double>> values_;
  int64_t waiting_ = 0;
  int64_t rounds_ = 0;
  std::exception_ptr error_;
};

class ThreadCommunicator : public Communicator {
 public:
  ThreadCommunicator(int rank, int size, Table& table) : Communicator(rank, size), table_(table) {}

  void AllReduceSum(std::span<float> values) override { SumUp(values); }
  void AllReduceSum(std::span<double> values) override { SumUp(values); }

  void Broadcast(std::span<std::byte> bytes) override {
    std::vector<double> mine;
    for (const std::byte byte : bytes) mine.push_back(static_cast<double>(byte));
    const auto first = table_.Exchange(Rank(), mine)[0];
    if (first.size() != bytes.size()) Fail("test", "the ranks broadcast different lengths");
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::byte>(static_cast<uint8_t>(first[i]));
    }
  }

  void Meet() override { table_.Exchange(Rank(), {}); }

 private:
  template <class T>
  void SumUp(std::span<T> values) {
    const auto all = table_.Exchange(Rank(), {values.begin(), values.end()});
    std::fill(values.begin(), values.end(), T{0});
    for (const auto& of_rank : all) {
      if (of_rank.size() != values.size()) Fail("test", "the ranks add up different lengths");
      for (size_t i = 0; i < values.size(); ++i) values[i] += static_cast<T>(of_rank[i]);
    }
  }

  Table& table_;
};

}  // namespace

void RunRanks(int size, const std::function<void(Communicator& ranks)>& body) {
  Table table(size);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      SetThreads(1);
      try {
        ThreadCommunicator ranks(rank, size, table);
        body(ranks);
      } catch (...) {
        table.Fail(std::current_exception());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  table.Rethrow();
}

}  // namespace sparsify::testing

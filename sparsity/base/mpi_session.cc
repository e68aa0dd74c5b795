// Built where CMake finds MPI.
#include "sparsity/base/mpi_session.h"

#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"

namespace sparsify {
namespace {

MPI_Datatype TypeOf(float /*value*/) { return MPI_FLOAT; }
MPI_Datatype TypeOf(double /*value*/) { return MPI_DOUBLE; }

// Polls until `request` is complete, at first often. Gives up when `go_on` says so.
template <class GoOn>
bool WaitAsleep(MPI_Request& request, const GoOn& go_on) {
  auto pause = std::chrono::microseconds(50);
  constexpr std::chrono::microseconds kLongest(10000);
  for (;;) {
    int done = 0;
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done != 0) return true;
    if (!go_on()) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongest);
  }
}

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(int rank, int size) : Communicator(rank, size) {}

  void AllReduceSum(std::span<float> values) override { SumInOrder(values, floats_); }
  void AllReduceSum(std::span<double> values) override { SumInOrder(values, doubles_); }

  void Broadcast(std::span<std::byte> bytes) override {
    for (size_t at = 0; at < bytes.size(); at += kMost) {
      const size_t count = std::min(kMost, bytes.size() - at);
      MPI_Bcast(bytes.data() + at, static_cast<int>(count), MPI_BYTE, 0, MPI_COMM_WORLD);
    }
  }

  void Meet() override {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    WaitAsleep(request, [] {
      ThrowIfInterrupted();
      return true;
    });
  }

 private:
  static constexpr size_t kFew = 8192;              // values that are sent to everybody
  static constexpr size_t kMost = size_t{1} << 26;  // in one call, whose counts are ints

  // MPI's own sum may add in another order on every rank and in every run.
  template <class T>
  void SumInOrder(std::span<T> values, std::vector<T>& received) {
    for (size_t at = 0; at < values.size(); at += kMost) {
      const std::span<T> part = values.subspan(at, std::min(kMost, values.size() - at));
      if (part.size() <= kFew) {
        SumFew(part, received);
      } else {
        SumMany(part, received);
      }
    }
  }

  template <class T>
  void SumFew(std::span<T> values, std::vector<T>& received) {
    const auto count = static_cast<int>(values.size());
    received.resize(values.size() * static_cast<size_t>(Size()));
    MPI_Allgather(values.data(), count, TypeOf(T{}), received.data(), count, TypeOf(T{}),
                  MPI_COMM_WORLD);
    AddParts<T>(received, values);
  }

  // Every rank adds up one slice and gives it to the others.
  template <class T>
  void SumMany(std::span<T> values, std::vector<T>& received) {
    const auto ranks = static_cast<size_t>(Size());
    std::vector<int> counts;
    std::vector<int> starts;
    for (size_t rank = 0; rank < ranks; ++rank) {
      starts.push_back(static_cast<int>(values.size() * rank / ranks));
      counts.push_back(static_cast<int>(values.size() * (rank + 1) / ranks) - starts.back());
    }
    const int own = counts[static_cast<size_t>(Rank())];
    const std::vector<int> own_counts(ranks, own);
    std::vector<int> own_starts;
    for (int rank = 0; rank < Size(); ++rank) own_starts.push_back(rank * own);
    received.resize(static_cast<size_t>(own) * ranks);
    MPI_Alltoallv(values.data(), counts.data(), starts.data(), TypeOf(T{}), received.data(),
                  own_counts.data(), own_starts.data(), TypeOf(T{}), MPI_COMM_WORLD);
    AddParts<T>(received, values.subspan(static_cast<size_t>(starts[static_cast<size_t>(Rank())]),
                                         static_cast<size_t>(own)));
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values.data(), counts.data(), starts.data(),
                   TypeOf(T{}), MPI_COMM_WORLD);
  }

  // sum[i] = Σ over ranks of parts[rank · sum.size() + i], in their order.
  template <class T>
  void AddParts(const std::vector<T>& parts, std::span<T> sum) const {
    std::copy_n(parts.begin(), sum.size(), sum.begin());
    for (size_t rank = 1; rank < static_cast<size_t>(Size()); ++rank) {
      const T* part = parts.data() + rank * sum.size();
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += part[i];
    }
  }

  std::vector<float> floats_;
  std::vector<double> doubles_;
};

}  // namespace

struct MpiSession::Implementation {
  MPI_Comm ending = MPI_COMM_NULL;  // for what follows alone
  bool has_ended = false;

  /// When all ranks have come to their end: what each has to say (0: nothing). Nothing when
  /// `go_on` has given up before.
  template <class GoOn>
  std::vector<uint64_t> End(uint64_t own, const GoOn& go_on) {
    has_ended = true;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Ibarrier(ending, &request);
    if (!WaitAsleep(request, go_on)) return {};
    int size = 0;
    MPI_Comm_size(ending, &size);
    std::vector<uint64_t> all(static_cast<size_t>(size));
    MPI_Allgather(&own, 1, MPI_UINT64_T, all.data(), 1, MPI_UINT64_T, ending);
    return all;
  }
};

MpiSession::MpiSession() : ranks_(std::make_unique<Communicator>()) {
  if (!FindLaunch([](const char* name) { return std::getenv(name); })) return;
  implementation_ = std::make_unique<Implementation>();
  int given = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &given);
  int rank = 0;
  int size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm_dup(MPI_COMM_WORLD, &implementation_->ending);
  if (size > 1) ranks_ = std::make_unique<MpiCommunicator>(rank, size);
}

MpiSession::~MpiSession() {
  if (!implementation_) return;
  if (!implementation_->has_ended) implementation_->End(0, [] { return true; });
  MPI_Finalize();
}

bool MpiSession::IsBuilt() { return true; }

void MpiSession::Fail(const std::string& message, int exit_code,
                      const std::function<void(const std::string&)>& say) {
  if (ranks_->Size() == 1) return say(message);
  const auto own = static_cast<uint64_t>(std::hash<std::string>()(message)) | 1;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  const std::vector<uint64_t> all =
      implementation_->End(own, [&] { return std::chrono::steady_clock::now() < deadline; });
  const std::string with_rank = fmt::format("rank {}: {}", ranks_->Rank(), message);
  if (all.empty()) {
    say(with_rank);
    MPI_Abort(MPI_COMM_WORLD, exit_code);
  }
  const auto before = all.begin() + ranks_->Rank();
  if (std::find(all.begin(), before, own) != before) return;
  const bool is_everybodys = std::count(all.begin(), all.end(), own) == std::ssize(all);
  say(is_everybodys ? message : with_rank);
}

}  // namespace sparsify

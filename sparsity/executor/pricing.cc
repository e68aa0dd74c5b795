#include "sparsity/executor/pricing.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>

#include "sparsity/executor/bandwidth.h"
#include "sparsity/executor/thread_clock.h"

namespace sparsify {
namespace {

/// Prices by key, for the life of the process: a sweep times its dense side once.
class Memo {
 public:
  static Memo& Get() {
    static Memo memo;
    return memo;
  }
  double Find(const std::string& key) const {
    const std::scoped_lock lock(mutex_);
    const auto it = prices_.find(key);
    return it == prices_.end() ? -1 : it->second;
  }
  void Set(const std::string& key, double price) {
    const std::scoped_lock lock(mutex_);
    prices_.insert_or_assign(key, price);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, double> prices_;
};

int64_t OperandBytes(const StepKernel& kernel, const Pricing::Job& job) {
  int64_t bytes = kernel.info().constant_bytes;
  for (size_t i = 0; i < job.inputs.size(); ++i) {
    bytes += LayoutBytes(kernel.info().inputs[i], job.inputs[i]);
  }
  for (size_t i = 0; i < job.outputs.size(); ++i) {
    bytes += LayoutBytes(kernel.info().outputs[i], job.outputs[i]);
  }
  return bytes;
}

}  // namespace

std::string ProblemKey(const FusedGraph& graph, const FusedStep& step) {
  const auto shape_text = [&](ValueId id) {
    return graph.shapes[static_cast<size_t>(id)].ToString();
  };
  std::string key =
      fmt::format("{} {} {} {} bias {}", step.op, static_cast<int>(step.activation.kind),
                  step.activation.alpha, step.activation.beta, step.bias != kNoValue);
  for (ValueId id : step.Operands()) key += fmt::format(" {}", shape_text(id));
  if (step.weight != kNoValue) key += fmt::format(" weight {}", shape_text(step.weight));
  for (ValueId id : step.outputs) key += fmt::format(" to {}", shape_text(id));
  for (const auto& [name, value] : step.node.attributes.all()) {
    key += fmt::format(" {}={}", name, FormatAttribute(value));
  }
  if (step.pool) {
    key += fmt::format(" pool in {} bytes", graph.cache_bytes);
    for (const auto& [name, value] : step.pool->attributes.all()) {
      key += fmt::format(" {}={}", name, FormatAttribute(value));
    }
  }
  return key;
}

Pricing::Pricing(bool tune, int threads, double budget_ms, bool cold)
    : tune_(tune), threads_(threads), budget_ms_(budget_ms), cold_(cold) {}

bool Pricing::IsExhausted() const {
  const std::chrono::duration<double, std::milli> spent = Clock::now() - start_;
  return tune_ && spent.count() > budget_ms_;
}

std::string Pricing::FullKey(const std::string& key) const {
  return fmt::format("{} threads {}{}", key, threads_, cold_ ? " cold" : "");
}

double Pricing::Known(const std::string& key) const {
  return tune_ && !key.empty() ? Memo::Get().Find(FullKey(key)) : -1;
}

double Pricing::Price(const StepKernel& kernel, const Job& job) {
  if (!tune_) return Rule(kernel, job);
  double price = Known(job.key);
  if (price < 0) {
    price = Time(kernel, job);
    if (!job.key.empty()) Memo::Get().Set(FullKey(job.key), price);
  }
  return price;
}

double Pricing::Rule(const StepKernel& kernel, const Job& job) const {
  constexpr double kMacsPerMs = 5e7;
  constexpr double kBytesPerMs = 1e7;
  return job.macs / kMacsPerMs + static_cast<double>(OperandBytes(kernel, job)) / kBytesPerMs;
}

float* Pricing::Memory(size_t slot, int64_t bytes) {
  if (memory_.size() <= slot) memory_.resize(slot + 1);
  AlignedBuffer& buffer = memory_[slot];
  if (buffer.bytes() < bytes) {
    buffer = AlignedBuffer(bytes);
    FillRandom(buffer, slot);
  }
  return reinterpret_cast<float*>(buffer.data());
}

KernelBuffers Pricing::Place(const KernelInfo& info, const Job& job) {
  const auto bytes = [](const std::vector<Layout>& layouts, const std::vector<Shape>& shapes) {
    std::vector<int64_t> sizes;
    for (size_t i = 0; i < shapes.size(); ++i) sizes.push_back(LayoutBytes(layouts[i], shapes[i]));
    return sizes;
  };
  const std::vector<int64_t> out = bytes(info.outputs, job.outputs);
  const std::vector<int64_t> in = bytes(info.inputs, job.inputs);
  KernelBuffers buffers;
  buffers.scratch = Memory(0, info.scratch_bytes);
  if (cold_) {
    cold_memory_.Evict();
    buffers.outputs = cold_memory_.Outputs(out);
    const std::vector<float*> inputs = cold_memory_.Inputs(in);
    buffers.inputs.assign(inputs.begin(), inputs.end());
  } else {
    size_t slot = 1;
    for (const int64_t size : out) buffers.outputs.push_back(Memory(slot++, size));
    for (const int64_t size : in) buffers.inputs.push_back(Memory(slot++, size));
  }
  if (info.shared_input >= 0) {
    const auto shared = static_cast<size_t>(info.shared_input);
    if (cold_) TouchLines(buffers.outputs[0], in[shared]);
    buffers.inputs[shared] = buffers.outputs[0];
  }
  return buffers;
}

double Pricing::Time(const StepKernel& kernel, const Job& job) {
  constexpr int kMostRuns = 8;
  constexpr int kFewestRuns = 3;
  constexpr double kEnoughMs = 12;
  const MillisecondClock clock = TimingClock(threads_);
  double best = std::numeric_limits<double>::infinity();
  double spent = 0;
  for (int run = 0; run < kMostRuns; ++run) {
    const KernelBuffers buffers = Place(kernel.info(), job);
    const double start = clock();
    kernel.Run(buffers);
    const double time = clock() - start;
    best = std::min(best, time);
    spent += time;
    if (run >= kFewestRuns && spent > kEnoughMs) break;
    if (run > 0 && job.stop_above_ms > 0 && best > 1.3 * job.stop_above_ms) break;
  }
  return best;
}

bool ExceedsCache(const FusedGraph& graph) {
  int64_t bytes = 0;
  for (const FusedStep& step : graph.steps) {
    for (ValueId id : step.outputs) bytes += graph.shapes[static_cast<size_t>(id)].NumElements();
    if (step.weight != kNoValue) bytes += graph.graph.value(step.weight).data.size();
  }
  return bytes * static_cast<int64_t>(sizeof(float)) > PrivateCacheBytes();
}

}  // namespace sparsify

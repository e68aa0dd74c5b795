#include "sparsity/executor/plan.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/executor/arena.h"
#include "sparsity/executor/bandwidth.h"
#include "sparsity/executor/choose.h"
#include "sparsity/executor/dense.h"
#include "sparsity/executor/describe.h"
#include "sparsity/executor/fuse.h"
#include "sparsity/executor/lane_kernel.h"
#include "sparsity/executor/lower.h"
#include "sparsity/executor/onednn_engine.h"
#include "sparsity/executor/onednn_steps.h"
#include "sparsity/executor/plan_batch.h"
#include "sparsity/executor/plan_cache.h"
#include "sparsity/executor/thread_clock.h"
#include "sparsity/executor/thread_scope.h"
#include "sparsity/executor/winograd.h"

namespace sparsify {
namespace {

/// An operand of a call that lies in the caller's memory.
struct ExternalOperand {
  size_t call = 0;
  size_t operand = 0;
  bool is_result = false;  // of the call; else one of its inputs
  LoweredBuffer buffer;
};

}  // namespace

struct Plan::Impl {
  PlanOptions options;
  std::vector<StepChoice> choices;  // without kernels, one a step
  std::vector<bool> winograd;       // FusedStep::winograd, one a step
  std::vector<KernelPtr> kernels;
  std::vector<KernelBuffers> buffers;  // one a kernel; externals are set by Run
  std::vector<ExternalOperand> externals;
  AlignedBuffer arena;
  PlanReport report;
  std::vector<Shape> input_shapes;
  std::vector<Shape> output_shapes;

  void Build(FusedGraph& fused, Isa isa);
  void Bind(Lowered lowered);
  void SetExternals(const std::vector<const float*>& inputs, const std::vector<float*>& outputs);
  void BindCall(const Lowered& lowered, size_t call, const std::vector<int64_t>& offsets);
  /// Chosen by the clock, and some steps compute dense by Winograd's algorithm.
  bool IsMixed() const {
    if (!options.tune || !options.allow_sparse) return false;
    for (size_t s = 0; s < choices.size(); ++s) {
      if (winograd[s] && choices[s].candidate.empty()) return true;
    }
    return false;
  }
  std::byte* At(int64_t offset) const { return arena.data() + offset; }
};

void Plan::Impl::Bind(Lowered lowered) {
  std::vector<ArenaRequest> requests;
  for (const LoweredBuffer& buffer : lowered.buffers) {
    requests.push_back({buffer.is_external() ? 0 : buffer.bytes, buffer.first, buffer.last});
  }
  for (size_t i = 0; i < lowered.calls.size(); ++i) {
    const int at = static_cast<int>(i);
    requests.push_back({lowered.calls[i].kernel->info().scratch_bytes, at, at});
  }
  const ArenaLayout layout = PlanArena(requests);
  arena = AlignedBuffer(layout.bytes);
  report.arena_bytes = layout.bytes;
  buffers.resize(lowered.calls.size());
  for (size_t i = 0; i < lowered.calls.size(); ++i) BindCall(lowered, i, layout.offsets);
  for (LoweredCall& call : lowered.calls) kernels.push_back(std::move(call.kernel));
}

void Plan::Impl::BindCall(const Lowered& lowered, size_t call,
                          const std::vector<int64_t>& offsets) {
  const LoweredCall& source = lowered.calls[call];
  KernelBuffers& bound = buffers[call];
  const auto place = [&](int index, size_t operand, bool is_result) -> float* {
    const LoweredBuffer& buffer = lowered.buffers[static_cast<size_t>(index)];
    if (buffer.is_external()) {
      externals.push_back({call, operand, is_result, buffer});
      return nullptr;
    }
    return reinterpret_cast<float*>(At(offsets[static_cast<size_t>(index)]));
  };
  for (size_t i = 0; i < source.inputs.size(); ++i) {
    bound.inputs.push_back(place(source.inputs[i], i, false));
  }
  for (size_t i = 0; i < source.outputs.size(); ++i) {
    bound.outputs.push_back(place(source.outputs[i], i, true));
  }
  bound.scratch = At(offsets[lowered.buffers.size() + call]);
}

void Plan::Impl::SetExternals(const std::vector<const float*>& inputs,
                              const std::vector<float*>& outputs) {
  if (inputs.size() != input_shapes.size() || outputs.size() != output_shapes.size()) {
    Fail("plan", "{} inputs and {} outputs given, the network has {} and {}", inputs.size(),
         outputs.size(), input_shapes.size(), output_shapes.size());
  }
  for (const ExternalOperand& external : externals) {
    KernelBuffers& bound = buffers[external.call];
    if (external.is_result) {
      bound.outputs[external.operand] = outputs[static_cast<size_t>(external.buffer.output)];
    } else if (external.buffer.input >= 0) {
      bound.inputs[external.operand] = inputs[static_cast<size_t>(external.buffer.input)];
    } else {
      bound.inputs[external.operand] = outputs[static_cast<size_t>(external.buffer.output)];
    }
  }
}

namespace {

KernelPtr MakeReorderKernel(const Shape& shape, const Layout& from, const Layout& to,
                            const LaneContext& context) {
  if (from.kind != LayoutKind::kLanes && to.kind != LayoutKind::kLanes) {
    return onednn::MakeReorder(shape, from, to);
  }
  return MakeLaneReorder(shape, from, to, context);
}

/// Everything but the arena's size and the instruction set.
PlanReport Report(const FusedGraph& fused, const Lowered& lowered,
                  const std::vector<StepChoice>& choices) {
  PlanReport report;
  report.fused_steps = static_cast<int64_t>(lowered.calls.size());
  report.bandwidth_bytes = BandwidthBytes(lowered, fused.cache_bytes);
  for (const LoweredCall& call : lowered.calls) {
    StepReport& step = report.steps.emplace_back(DescribeCall(fused, call));
    report.constant_bytes += step.constant_bytes;
    if (call.step < 0) continue;
    const StepChoice& choice = choices[static_cast<size_t>(call.step)];
    step.dense_time_ms = choice.dense_ms;
    step.time_ms = choice.time_ms;
    step.reason = choice.reason;
  }
  return report;
}

LaneOptions LaneOptionsOf(const PlanOptions& options, Isa isa) {
  return {LanesForBatch(options.batch), {isa, options.threads}, options.min_sparsity};
}

std::vector<StepChoice> ChooseAnew(FusedGraph& graph, const PlanOptions& options,
                                   const LaneOptions& lanes) {
  if (options.winograd) ChooseWinograd(graph, options);
  if (options.allow_sparse) return ChooseKernels(graph, options, lanes);
  return std::vector<StepChoice>(graph.steps.size());
}

/// Whether `plan` takes no more time than `other`, a little set aside for what it saves in memory.
bool IsPreferable(const Plan& plan, const Plan& other, int threads) {
  constexpr int kRounds = 5;
  constexpr double kTolerance = 1.03;
  const PlanBatch batch(plan);
  const MillisecondClock clock = TimingClock(threads);
  const auto time = [&](const Plan& timed) {
    const double start = clock();
    timed.Run(batch.in, batch.out);
    return clock() - start;
  };
  double least = time(plan);
  double least_other = time(other);
  for (int round = 0; round < kRounds; ++round) {
    ThrowIfInterrupted();
    least = std::min(least, time(plan));
    least_other = std::min(least_other, time(other));
  }
  return least <= kTolerance * least_other;
}

}  // namespace

int64_t PlanReport::LayerCount() const {
  return std::count_if(steps.begin(), steps.end(), [](const auto& step) { return step.is_layer; });
}

int64_t PlanReport::SparseLayerCount() const {
  return std::count_if(steps.begin(), steps.end(), [](const auto& step) {
    // What kernels call themselves: StepReport::kernel.
    return step.is_layer && step.kernel.starts_with("sparse ");
  });
}

void LimitDenseLibrary() { onednn::LimitIsa(DetectIsa()); }

/// From the choices, whose kernels it takes.
void Plan::Impl::Build(FusedGraph& fused, Isa isa) {
  const LaneContext context{isa, options.threads};
  Lowered lowered = Lower(
      fused,
      [&](size_t s, const std::vector<Layout>& available) {
        if (choices[s].kernel != nullptr) return std::move(choices[s].kernel);
        return MakeDenseKernel(fused, fused.steps[s], available);
      },
      [&](const Shape& shape, const Layout& from, const Layout& to) {
        return MakeReorderKernel(shape, from, to, context);
      });
  report = Report(fused, lowered, choices);
  report.isa = IsaName(isa);
  for (const FusedStep& step : fused.steps) winograd.push_back(step.winograd);
  for (ValueId id : fused.inputs) input_shapes.push_back(fused.shapes[static_cast<size_t>(id)]);
  for (const Port& port : fused.graph.outputs) {
    output_shapes.push_back(fused.shapes[static_cast<size_t>(port.value)]);
  }
  Bind(std::move(lowered));
}

Plan::Plan(const Graph& graph, const PlanOptions& options) : impl_(std::make_unique<Impl>()) {
  if (options.batch < 1 || options.threads < 1) {
    FailUsage("plan", "batch {} and threads {} must be at least 1", options.batch, options.threads);
  }
  const ThreadScope scope(options.threads);
  const Isa isa = DetectIsa();
  LimitDenseLibrary();
  FusedGraph fused = Fuse(graph, options.batch, options.cache_bytes);
  const LaneOptions lanes = LaneOptionsOf(options, isa);
  impl_->options = options;
  std::vector<StepChoice>& choices = impl_->choices;
  choices.resize(fused.steps.size());
  const PlanCache cache(graph, options, isa);
  if (cache.Read(fused, choices) && MakeChosenKernels(fused, lanes, choices)) {
    impl_->Build(fused, isa);
    impl_->report.cached_in = cache.path();
    return;
  }
  choices = ChooseAnew(fused, options, lanes);
  impl_->Build(fused, isa);
  if (impl_->IsMixed()) PreferDirect(graph);
  cache.Write(impl_->winograd, impl_->choices);
}

/// Kernels are priced one by one, with weights that are still in the shared cache. Winograd's are
/// four times as large and may have left it when the whole network runs.
void Plan::PreferDirect(const Graph& graph) {
  PlanOptions options = impl_->options;
  options.winograd = false;
  options.cache_folder.clear();
  Plan direct(graph, options);
  if (!IsPreferable(direct, *this, options.threads)) return;
  Note(
      "batch {}, threads {}: the sparse plan does without Winograd's algorithm, which as a whole "
      "is "
      "not clearly faster",
      options.batch, options.threads);
  direct.impl_->options = impl_->options;
  impl_ = std::move(direct.impl_);
}

Plan::Plan(const Graph& graph, const Plan& other) : impl_(std::make_unique<Impl>()) {
  impl_->options = other.impl_->options;
  const ThreadScope scope(impl_->options.threads);
  const Isa isa = DetectIsa();
  FusedGraph fused = Fuse(graph, impl_->options.batch, impl_->options.cache_bytes);
  const std::vector<StepChoice>& choices = other.impl_->choices;
  for (size_t s = 0; s < choices.size() && s < fused.steps.size(); ++s) {
    const StepChoice& choice = choices[s];
    fused.steps[s].winograd = other.impl_->winograd[s];
    impl_->choices.push_back(
        {nullptr, choice.candidate, choice.dense_ms, choice.time_ms, choice.reason});
  }
  if (fused.steps.size() != choices.size() ||
      !MakeChosenKernels(fused, LaneOptionsOf(impl_->options, isa), impl_->choices)) {
    Fail("plan", "graph \"{}\" is not the one that the other plan was made of", graph.name);
  }
  impl_->Build(fused, isa);
  impl_->report.cached_in = other.report().cached_in;
}

Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

void Plan::Run(const std::vector<const float*>& inputs, const std::vector<float*>& outputs) const {
  impl_->SetExternals(inputs, outputs);
  const ThreadScope scope(impl_->options.threads);
  for (size_t i = 0; i < impl_->kernels.size(); ++i) impl_->kernels[i]->Run(impl_->buffers[i]);
}

std::vector<double> Plan::Profile(const std::vector<const float*>& inputs,
                                  const std::vector<float*>& outputs, int repetitions) const {
  using Clock = std::chrono::steady_clock;
  impl_->SetExternals(inputs, outputs);
  const ThreadScope scope(impl_->options.threads);
  std::vector<double> best(impl_->kernels.size(), std::numeric_limits<double>::infinity());
  for (int round = 0; round < repetitions; ++round) {
    for (size_t i = 0; i < best.size(); ++i) {
      const Clock::time_point start = Clock::now();
      impl_->kernels[i]->Run(impl_->buffers[i]);
      const std::chrono::duration<double, std::milli> time = Clock::now() - start;
      best[i] = std::min(best[i], time.count());
    }
  }
  return best;
}

const PlanReport& Plan::report() const { return impl_->report; }
const std::vector<Shape>& Plan::input_shapes() const { return impl_->input_shapes; }
const std::vector<Shape>& Plan::output_shapes() const { return impl_->output_shapes; }

}  // namespace sparsify

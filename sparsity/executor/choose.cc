#include "sparsity/executor/choose.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/hash.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/executor/assign.h"
#include "sparsity/executor/dense.h"
#include "sparsity/executor/describe.h"
#include "sparsity/executor/lower.h"
#include "sparsity/executor/onednn_steps.h"
#include "sparsity/executor/pricing.h"
#include "sparsity/executor/winograd.h"

namespace sparsify {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::infinity();
/// Time for trying kernels; a cold plan of ResNet-18 has 30 s for everything.
constexpr double kBudgetMs = 20e3;

/// The candidate of fully connected layers that needs no lanes.
constexpr const char* kRowMajor = "row major";

/// A kernel and its price.
struct Priced {
  KernelPtr kernel;  // null when its price was known
  double ms = kUnknown;
  bool is_sparse = false;
  std::string name;

  bool IsThere() const { return std::isfinite(ms); }
};

struct StepPrices {
  double dense_ms = 0;          // oneDNN's kernel
  double reorders_ms = 0;       // in front of it, between formats of the all-dense plan
  Priced row_major;             // a sparse kernel on row-major memory
  Priced lanes;                 // the best over lanes
  double sparse_ms = kUnknown;  // the best sparse one of all
};

bool IsDepthwise(const FusedGraph& graph, const FusedStep& step) {
  return step.node.attributes.Int("group", 1) > 1 &&
         graph.shapes[static_cast<size_t>(step.weight)][1] == 1;
}

class Chooser {
 public:
  Chooser(const FusedGraph& graph, const PlanOptions& options, const LaneOptions& lanes)
      : graph_(graph),
        options_(options),
        lanes_(lanes),
        pricing_(options.tune, options.threads, kBudgetMs, ExceedsCache(graph)) {}

  std::vector<StepChoice> Run() {
    if (AnyWorthTrying()) {
      prices_.resize(graph_.steps.size());
      PriceDense();
      for (size_t s = 0; s < graph_.steps.size(); ++s) {
        ThrowIfInterrupted();
        PriceLanes(s);
        PriceRowMajor(s);
      }
      over_lanes_ = AssignLanes(Problem());
      if (untried_ > 0) {
        Warn(
            "plan: the {:g} s for trying kernels are over: {} of {} steps have the first kernels "
            "alone; on a quieter machine, or with fewer images a batch, all are tried",
            1e-3 * kBudgetMs, untried_, graph_.steps.size());
      }
    }
    std::vector<StepChoice> choices;
    for (size_t s = 0; s < graph_.steps.size(); ++s) choices.push_back(Choice(s));
    return choices;
  }

 private:
  const Shape& ShapeOf(ValueId id) const { return graph_.shapes[static_cast<size_t>(id)]; }

  bool IsWorthTrying(const FusedStep& step) const {
    return step.is_layer && !IsDepthwise(graph_, step) &&
           WeightSparsity(graph_, step) >= options_.min_sparsity;
  }

  bool AnyWorthTrying() const {
    return std::any_of(graph_.steps.begin(), graph_.steps.end(),
                       [&](const FusedStep& step) { return IsWorthTrying(step); });
  }

  Pricing::Job JobOf(const FusedStep& step) const {
    Pricing::Job job;
    for (ValueId id : step.Operands()) job.inputs.push_back(ShapeOf(id));
    for (ValueId id : step.outputs) job.outputs.push_back(ShapeOf(id));
    job.macs = static_cast<double>(step.macs);
    return job;
  }

  double PriceReorder(const StepKernel& kernel, const Shape& shape) {
    Pricing::Job job;
    job.inputs = job.outputs = {shape};
    const KernelInfo& info = kernel.info();
    job.key = fmt::format("{} {} {} to {}", info.name, shape.ToString(),
                          LayoutKey(info.inputs[0], shape), LayoutKey(info.outputs[0], shape));
    return pricing_.Price(kernel, job);
  }

  /// Prices the all-dense plan, and notes the format each value has in it.
  void PriceDense() {
    const Lowered dense = Lower(
        graph_,
        [&](size_t s, const std::vector<Layout>& available) {
          return MakeDenseKernel(graph_, graph_.steps[s], available);
        },
        onednn::MakeReorder);
    double reorders = 0;
    for (const LoweredCall& call : dense.calls) {
      if (call.step < 0) {
        reorders += PriceReorder(*call.kernel, ShapeOf(call.value));
        continue;
      }
      const auto s = static_cast<size_t>(call.step);
      const FusedStep& step = graph_.steps[s];
      prices_[s].dense_ms = pricing_.Price(*call.kernel, DenseJob(graph_, step, *call.kernel));
      prices_[s].reorders_ms = std::exchange(reorders, 0);
      for (size_t i = 0; i < step.outputs.size(); ++i) {
        dense_layout_[step.outputs[i]] = call.kernel->info().outputs[i];
      }
    }
  }

  /// Null where the kernel cannot do the step, e.g. as offsets leave their range.
  static KernelPtr Make(const LaneCandidate& candidate, const FusedStep& step) {
    try {
      return candidate.make();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInterrupted) throw;
      Verbose("{}: {} is not tried: {}", step.name, candidate.name, error.what());
      return nullptr;
    }
  }

  void PriceLanes(size_t s) {
    const FusedStep& step = graph_.steps[s];
    const std::string problem = ProblemKey(graph_, step);
    const std::string weight = IsWorthTrying(step) ? WeightHash(step) : "";
    Priced& best = prices_[s].lanes;
    for (const LaneCandidate& candidate : LaneCandidates(graph_, step, lanes_)) {
      if (best.IsThere() && pricing_.IsExhausted()) {
        ++untried_;
        break;
      }
      Pricing::Job job = JobOf(step);
      job.macs *= candidate.is_sparse ? RuleDensity(step) : kLaneDenseFactor;
      job.stop_above_ms = best.IsThere() ? best.ms : 0;
      job.key = fmt::format("{} L{} {} {}", candidate.name, lanes_.lanes, problem,
                            candidate.is_sparse ? weight : "");
      KernelPtr kernel;
      double ms = pricing_.Known(job.key);
      if (ms < 0) {
        kernel = Make(candidate, step);
        if (kernel == nullptr) continue;
        ms = pricing_.Price(*kernel, job);
      }
      if (candidate.is_sparse) prices_[s].sparse_ms = std::min(prices_[s].sparse_ms, ms);
      if (ms < best.ms) best = {std::move(kernel), ms, candidate.is_sparse, candidate.name};
    }
  }

  /// Fully connected layers may skip zeros on row-major memory, too.
  void PriceRowMajor(size_t s) {
    const FusedStep& step = graph_.steps[s];
    if (!IsWorthTrying(step) || options_.batch > kMostImagesOfSparseLinear) return;
    Priced& priced = prices_[s].row_major;
    priced.kernel = MakeSparseLinear(graph_, step, lanes_.context);
    if (priced.kernel == nullptr) return;
    Pricing::Job job = JobOf(step);
    job.macs *= RuleDensity(step);
    priced.ms = pricing_.Price(*priced.kernel, job);
    priced.is_sparse = true;
    priced.name = kRowMajor;
    prices_[s].sparse_ms = std::min(prices_[s].sparse_ms, priced.ms);
  }

  std::string WeightHash(const FusedStep& step) const {
    Fnv1a hash;
    hash.Floats(graph_.graph.value(step.weight).data.values());
    return hash.Hex();
  }

  double RuleDensity(const FusedStep& step) const {
    return std::max(0.1, 1.2 * (1 - WeightSparsity(graph_, step)));
  }

  bool RowMajorWins(size_t s) const {
    return prices_[s].row_major.ms < prices_[s].dense_ms + prices_[s].reorders_ms;
  }

  static int64_t Nanoseconds(double ms) {
    return std::isfinite(ms) ? static_cast<int64_t>(std::llround(ms * 1e6))
                             : AssignmentProblem::kImpossible;
  }

  AssignmentProblem Problem() {
    AssignmentProblem problem;
    std::map<ValueId, AssignmentProblem::Value> values;
    for (ValueId id : graph_.inputs) values[id];
    for (size_t s = 0; s < graph_.steps.size(); ++s) {
      const StepPrices& p = prices_[s];
      const double dense = std::min(p.dense_ms + p.reorders_ms, p.row_major.ms);
      problem.steps.push_back({Nanoseconds(dense), Nanoseconds(p.lanes.ms)});
      for (ValueId id : graph_.steps[s].Operands())
        values[id].readers.push_back(static_cast<int>(s));
      for (ValueId id : graph_.steps[s].outputs) values[id].producer = static_cast<int>(s);
    }
    for (ValueId id : graph_.outputs) values[id].is_output = true;
    for (auto& [id, value] : values) {
      PriceCrossing(id, value);
      problem.values.push_back(value);
    }
    return problem;
  }

  /// What it costs to have a value in the other layout.
  void PriceCrossing(ValueId id, AssignmentProblem::Value& value) {
    const auto has_lanes = [&](int s) { return prices_[static_cast<size_t>(s)].lanes.IsThere(); };
    const bool may_leave = value.producer >= 0 && has_lanes(value.producer);
    const bool may_enter = std::any_of(value.readers.begin(), value.readers.end(), has_lanes);
    if (!may_leave && !may_enter) return;
    const auto found = dense_layout_.find(id);
    const Layout dense = found == dense_layout_.end() ? PlainLayout() : found->second;
    const Layout lanes = LanesLayout(lanes_.lanes, 0);
    const Shape& shape = ShapeOf(id);
    const auto price = [&](const Layout& from, const Layout& to) {
      return Nanoseconds(PriceReorder(*MakeLaneReorder(shape, from, to, lanes_.context), shape));
    };
    if (may_enter) value.to_lanes = price(dense, lanes);
    if (may_leave) value.to_dense = price(lanes, dense);
  }

  StepChoice Choice(size_t s) {
    StepChoice choice;
    const bool over_lanes = !over_lanes_.empty() && over_lanes_[s];
    if (!prices_.empty()) {
      StepPrices& p = prices_[s];
      choice.dense_ms = choice.time_ms = p.dense_ms;
      Priced* chosen = over_lanes ? &p.lanes : RowMajorWins(s) ? &p.row_major : nullptr;
      if (chosen != nullptr) {
        choice.time_ms = chosen->ms;
        choice.kernel = std::move(chosen->kernel);
        choice.candidate = chosen->name;
        if (chosen->is_sparse) return choice;
      }
    }
    if (graph_.steps[s].is_layer) choice.reason = Reason(s, over_lanes);
    return choice;
  }

  std::string Reason(size_t s, bool over_lanes) const {
    const FusedStep& step = graph_.steps[s];
    if (IsDepthwise(graph_, step)) return "depthwise: no sparse kernel";
    const double sparsity = WeightSparsity(graph_, step);
    if (sparsity < options_.min_sparsity) {
      return fmt::format("sparsity {:.2f} below {:.2f}", sparsity, options_.min_sparsity);
    }
    const StepPrices& p = prices_[s];
    if (!std::isfinite(p.sparse_ms)) return "no sparse kernel for its shape";
    if (over_lanes) {
      return fmt::format("dense lanes {:.3g} ms beat sparse {:.3g} ms", p.lanes.ms, p.sparse_ms);
    }
    if (p.dense_ms <= p.sparse_ms) {
      return fmt::format("dense {:.3g} ms beats sparse {:.3g} ms", p.dense_ms, p.sparse_ms);
    }
    return fmt::format("sparse {:.3g} ms beats dense {:.3g} ms, but not with layout changes",
                       p.sparse_ms, p.dense_ms);
  }

  /// The rule's price of a dense convolution over lanes, against oneDNN's.
  static constexpr double kLaneDenseFactor = 1.5;
  static constexpr int64_t kMostImagesOfSparseLinear = 16;

  const FusedGraph& graph_;
  const PlanOptions& options_;
  const LaneOptions& lanes_;
  Pricing pricing_;
  std::vector<StepPrices> prices_;
  std::map<ValueId, Layout> dense_layout_;
  std::vector<bool> over_lanes_;
  size_t untried_ = 0;  // steps for which no time was left
};

}  // namespace

std::vector<StepChoice> ChooseKernels(const FusedGraph& graph, const PlanOptions& options,
                                      const LaneOptions& lanes) {
  std::vector<StepChoice> choices = Chooser(graph, options, lanes).Run();
  MakeChosenKernels(graph, lanes, choices);
  return choices;
}

bool MakeChosenKernels(const FusedGraph& graph, const LaneOptions& lanes,
                       std::vector<StepChoice>& choices) {
  for (size_t s = 0; s < choices.size(); ++s) {
    StepChoice& choice = choices[s];
    if (choice.candidate.empty() || choice.kernel != nullptr) continue;
    const FusedStep& step = graph.steps[s];
    if (choice.candidate == kRowMajor) {
      choice.kernel = MakeSparseLinear(graph, step, lanes.context);
    } else {
      for (const LaneCandidate& candidate : LaneCandidates(graph, step, lanes)) {
        if (choice.kernel == nullptr && candidate.name == choice.candidate) {
          choice.kernel = candidate.make();
        }
      }
    }
    if (choice.kernel == nullptr) return false;
  }
  return true;
}

}  // namespace sparsify

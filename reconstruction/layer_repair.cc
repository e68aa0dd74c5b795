#include "reconstruction/layer_repair.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <utility>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "reconstruction/damping_search.h"
#include "reconstruction/graph_segments.h"
#include "reconstruction/layer_weights.h"
#include "reconstruction/phase_timer.h"
#include "reconstruction/repair_walk.h"
#include "reconstruction/second_order/activation_fit.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/progress.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

constexpr int64_t kBytesPerMb = 1'000'000;
// For the samples of a layer that is fitted behind its activation, besides the memory limit: the
// result must not depend on that.
constexpr int64_t kSampleBytes = 300'000'000;
using Clock = std::chrono::steady_clock;

// Activations shrink along the network while the matrices of its layers grow: what the former
// leave behind in the heap would add to the latter.
void ReturnFreedMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

// What the layer's output is limited to by Relu or Clip, if that alone reads it.
std::optional<ValueRange> RangeBehind(const Graph& graph, const Layer& layer) {
  const int reader = OnlyReader(graph, graph.node(layer.node));
  if (reader < 0) return std::nullopt;
  return RangeOf(graph.node(reader));
}

double Relative(double loss, double variance) { return variance > 0 ? loss / variance : 0; }

class LayerRepair {
 public:
  LayerRepair(const RepairTask& task, const LayerRepairOptions& options)
      : task_(task), options_(options) {
    CheckFiniteParameters(task.teacher);
    CheckFiniteParameters(task.student);
    BakeIntoStudent(task.masks, task.student);
    bool pruned = false;
    int64_t units = 0;
    for (const Layer& layer : task.layers) {
      const std::string& weight = task.student.value(layer.weight).name;
      if (!task.masks.contains(weight)) continue;
      pruned = pruned || DiffersFromTeacher(task.student, task.teacher, weight);
      if (units++ >= task.finished) AddUnit(layer, pruned);
    }
    if (task.finished < 0 || task.finished > units) {
      Fail(task.student.name, "{} layers are said to be finished, {} have masks", task.finished,
           units);
    }
  }

  RepairResult Run() {
    if (work_.empty()) return std::move(result_);
    std::vector<int> nodes;
    for (const Work& work : work_) nodes.push_back(work.layer->node);
    const int64_t fixed = task_.student.inputs.at(0).shape[0];
    RepairWalk walk(task_.student, task_.teacher, nodes, task_.calibration,
                    fixed > 0 ? fixed : options_.batch, options_.memory_limit_mb * kBytesPerMb);
    Announce(walk);
    std::optional<Progress> progress;
    if (!task_.title.empty()) {
      progress.emplace(task_.title, task_.calibration.size() * std::ssize(work_));
    }
    for (const Work& work : work_) {
      RepairLayer(*work.layer, walk, progress ? &*progress : nullptr, result_.units[work.unit]);
      if (task_.on_finished) {
        const size_t rows = work.unit + 1;
        task_.on_finished(task_.finished + static_cast<int64_t>(rows),
                          std::span(result_.units).first(rows));
      }
    }
    ReportDampings();
    ReportFits();
    result_.seconds["load images"] = walk.seconds().load;
    result_.seconds["forward"] = walk.seconds().forward;
    result_.seconds["statistics"] = walk.seconds().visit;
    return std::move(result_);
  }

 private:
  struct Work {
    const Layer* layer = nullptr;
    size_t unit = 0;
  };

  void AddUnit(const Layer& layer, bool pruned) {
    RepairedUnit unit;
    unit.name = layer.name;
    unit.unrepaired = LayerObstacle(task_.student, layer, options_.memory_limit_mb * kBytesPerMb);
    if (!pruned) {
      unit.unrepaired = "nothing is pruned up to here";
      Verbose("{}: not repaired: {}", layer.name, unit.unrepaired);
    } else if (!unit.unrepaired.empty()) {
      Warn("{}: not repaired: {}", layer.name, unit.unrepaired);
    } else {
      work_.push_back({&layer, result_.units.size()});
    }
    result_.units.push_back(std::move(unit));
  }

  void Announce(const RepairWalk& walk) const {
    constexpr double kManyPasses = 2;
    const int64_t images = task_.calibration.size();
    Note("{}: {} on {} layers{}, {} images, {} output positions of each; {}", Title(),
         LayerMethodTitle(options_.method), work_.size(),
         task_.finished > 0 ? fmt::format(" behind {} finished ones", task_.finished) : "", images,
         options_.max_positions == 0 ? "all" : fmt::format("at most {}", options_.max_positions),
         walk.Describe());
    if (walk.Passes() < kManyPasses) return;
    Warn(
        "memory_limit {} MB is little for {} images, activations are computed {:.1f} times; at "
        "most {} images need no repetition: raise memory_limit or set data.calibration.count",
        options_.memory_limit_mb, images, walk.Passes(), walk.FittingImages());
  }

  void RepairLayer(const Layer& layer, RepairWalk& walk, Progress* progress, RepairedUnit& unit) {
    const auto start = Clock::now();
    StatisticsOptions sampling;
    sampling.max_positions = options_.max_positions;
    sampling.seed = task_.seed;
    range_ = options_.activation_aware ? RangeBehind(task_.student, layer) : std::nullopt;
    if (range_) sampling.kept_positions = PositionsToKeep(layer);
    sampling.hold_back = SearchesDamping(layer);
    LayerStatistics statistics(task_.student.node(layer.node), layer, sampling);
    walk.Next([&](const Tensor& inputs, const Tensor& targets) { statistics.Add(inputs, targets); },
              progress);
    ReturnFreedMemory();
    const double damping = sampling.hold_back ? ChooseDamping(layer, statistics) : options_.damping;
    const auto solving = Clock::now();
    Solve(layer, statistics, damping, unit);
    result_.seconds["solve"] += SecondsSince(solving);
    unit.seconds = SecondsSince(start);
    Verbose("{}: loss {:.4f} → {:.4f} of the variance, {} samples, {} ({} to solve){}{}", unit.name,
            unit.loss_before, unit.loss_after, unit.samples, FormatSeconds(unit.seconds),
            FormatSeconds(SecondsSince(solving)), unit.remark.empty() ? "" : "; ", unit.remark);
  }

  int64_t PositionsToKeep(const Layer& layer) const {
    const Shape& weight = layer.weight_shape;
    const int64_t lines = layer.groups * (weight.NumElements() / weight[0]) + weight[0];
    const int64_t samples = kSampleBytes / static_cast<int64_t>(sizeof(float)) / lines;
    return std::max<int64_t>(1, samples / task_.calibration.size());
  }

  bool SearchesDamping(const Layer& layer) const {
    if (!options_.damping_search) return false;
    const std::string obstacle = LayerObstacle(
        task_.student, layer, options_.memory_limit_mb * kBytesPerMb, /*searches=*/true);
    if (obstacle.empty()) return true;
    Note("{}: damping {:g}, not searched: {}", layer.name, options_.damping, obstacle);
    return false;
  }

  double ChooseDamping(const Layer& layer, const LayerStatistics& statistics) {
    const auto start = Clock::now();
    const DampingChoice choice =
        SearchDamping(statistics, DenseWeight(layer), MaskOf(layer), options_);
    result_.seconds["damping"] += SecondsSince(start);
    if (choice.trials.empty()) {
      Verbose("{}: damping {:.3g}: too few images to search it, or constant targets",
              statistics.layer_name(), choice.damping);
      return choice.damping;
    }
    dampings_.push_back(choice.damping);
    std::string trials;
    for (const DampingTrial& trial : choice.trials) {
      trials +=
          fmt::format("{}{:.3g}: {:.4f}", trials.empty() ? "" : ", ", trial.damping, trial.loss);
    }
    Verbose("{}: damping {:.3g} ({})", statistics.layer_name(), choice.damping, trials);
    return choice.damping;
  }

  void ReportDampings() {
    if (!options_.damping_search) return;
    if (dampings_.empty()) {
      Warn("{}: no layer's damping was searched ({} images, memory_limit {} MB); it is {:g}",
           Title(), task_.calibration.size(), options_.memory_limit_mb, options_.damping);
      return;
    }
    std::sort(dampings_.begin(), dampings_.end());
    Note(
        "{}: damping chosen on the images held back: {:.2g} … {:.2g} over the layers, median "
        "{:.2g}",
        Title(), dampings_.front(), dampings_.back(), dampings_[dampings_.size() / 2]);
  }

  void Fit(const LayerStatistics& statistics, const Tensor& dense, double damping,
           LayerSolution& solution) {
    ActivationFitOptions options;
    options.damping = damping;
    const ActivationFit fit = FitBehindActivation(statistics, dense, *range_, options, solution);
    ++fitted_;
    rows_ += fit.rows;
    tried_ += fit.tried;
    improved_ += fit.improved;
    if (!fit.obstacle.empty()) {
      Warn("{}: not fitted behind its activation: {}", statistics.layer_name(), fit.obstacle);
    }
    if (fit.before > 0) gain_ += 1 - fit.after / fit.before;
    Verbose(
        "{}: error behind the activation {:.4g} → {:.4g} on the images held back; {} of {} "
        "outputs took the fit{}",
        statistics.layer_name(), fit.before, fit.after, fit.improved, fit.tried,
        fit.tried < fit.rows
            ? fmt::format(", the {} others are left as they are", fit.rows - fit.tried)
            : "");
  }

  void ReportFits() const {
    if (!options_.activation_aware) return;
    Note(
        "{}: {} of {} layers are read by Relu or Clip alone and were fitted behind it; on the "
        "images held back the error of the outputs tried is {:.1f} % lower on the mean, {} of {} "
        "outputs took the fit{}",
        Title(), fitted_, work_.size(), fitted_ > 0 ? 100 * gain_ / fitted_ : 0, improved_, rows_,
        tried_ < rows_
            ? fmt::format(" ({} were not tried, as few like them gained)", rows_ - tried_)
            : "");
  }

  std::string Title() const { return task_.title.empty() ? "repair" : task_.title; }

  const Tensor& DenseWeight(const Layer& layer) const {
    return task_.teacher.value(task_.teacher.node(layer.node).inputs[1]).data;
  }

  Mask& MaskOf(const Layer& layer) {
    return task_.masks.at(task_.student.value(layer.weight).name);
  }

  void Solve(const Layer& layer, const LayerStatistics& statistics, double damping,
             RepairedUnit& unit) {
    Graph& student = task_.student;
    Mask& mask = MaskOf(layer);
    const Tensor& given = student.value(layer.weight).data;
    const Tensor& dense = DenseWeight(layer);
    const Tensor* bias = layer.bias == kNoValue ? nullptr : &student.value(layer.bias).data;
    const double before = LayerLoss(statistics, given, bias);
    LayerRepairOptions options = options_;
    options.damping = damping;
    options.statistics_correction = options_.statistics_correction && !range_;
    LayerSolution solution = SolveByMethod(statistics, dense, given, mask, options, unit.remark);
    if (range_) {
      Fit(statistics, dense, damping, solution);
      if (options_.statistics_correction) MatchStatistics(statistics, solution, unit.remark);
    }
    unit.loss_before = Relative(before, solution.target_variance);
    unit.loss_after = Relative(solution.loss, solution.target_variance);
    unit.samples = statistics.count();
    mask = std::move(solution.mask);
    student.mutable_value(layer.weight).data = std::move(solution.weight);
    WriteBias(student, layer, std::move(solution.bias));
  }

  const RepairTask& task_;
  const LayerRepairOptions& options_;
  std::vector<Work> work_;
  std::vector<double> dampings_;     // chosen
  std::optional<ValueRange> range_;  // of the activation behind the layer at work
  int fitted_ = 0;                   // layers
  int64_t rows_ = 0;                 // of these, those tried, and those that took the fit
  int64_t tried_ = 0;
  int64_t improved_ = 0;
  double gain_ = 0;  // Σ over the layers of the share of the error that is gone
  RepairResult result_;
};

}  // namespace

RepairResult RepairLayers(const RepairTask& task, const LayerRepairOptions& options) {
  return LayerRepair(task, options).Run();
}

}  // namespace sparsify

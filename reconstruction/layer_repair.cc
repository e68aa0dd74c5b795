#include "reconstruction/layer_repair.h"

#include <chrono>
#include <cstdlib>
#include <optional>
#include <utility>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "reconstruction/layer_weights.h"
#include "reconstruction/phase_timer.h"
#include "reconstruction/repair_walk.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/progress.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

constexpr int64_t kBytesPerMb = 1'000'000;
using Clock = std::chrono::steady_clock;

// Activations shrink along the network while the matrices of its layers grow: what the former
// leave behind in the heap would add to the latter.
void ReturnFreedMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

// Σ E[(y − w·x − b)²] of the layer as it is in the graph.
double LossOf(const LayerStatistics& statistics, const Tensor& weight, const Tensor* bias) {
  double loss = 0;
  const int64_t rows = statistics.rows();
  const int64_t columns = statistics.columns();
  for (int64_t group = 0; group < statistics.groups(); ++group) {
    const Moments moments = statistics.GroupMoments(group);
    const Matrix w = Eigen::Map<const Eigen::Matrix<float, -1, -1, Eigen::RowMajor>>(
                         weight.data() + group * rows * columns, rows, columns)
                         .cast<double>();
    Vector shift = moments.target_mean - w * moments.input_mean;
    for (int64_t r = 0; bias != nullptr && r < rows; ++r) {
      shift[r] -= (*bias)[bias->size() == 1 ? 0 : group * rows + r];
    }
    loss += QuadraticLoss(moments, w) + shift.squaredNorm();
  }
  return loss;
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
    Note("{}: {} on {} layers{}, {} images, {} output positions of each; {}",
         task_.title.empty() ? "repair" : task_.title, LayerMethodTitle(options_.method),
         work_.size(),
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
    LayerStatistics statistics(task_.student.node(layer.node), layer, sampling);
    walk.Next([&](const Tensor& inputs, const Tensor& targets) { statistics.Add(inputs, targets); },
              progress);
    ReturnFreedMemory();
    const auto solving = Clock::now();
    Solve(layer, statistics, unit);
    result_.seconds["solve"] += SecondsSince(solving);
    unit.seconds = SecondsSince(start);
    Verbose("{}: loss {:.4f} → {:.4f} of the variance, {} samples, {} ({} to solve){}{}", unit.name,
            unit.loss_before, unit.loss_after, unit.samples, FormatSeconds(unit.seconds),
            FormatSeconds(SecondsSince(solving)), unit.remark.empty() ? "" : "; ", unit.remark);
  }

  void Solve(const Layer& layer, const LayerStatistics& statistics, RepairedUnit& unit) {
    Graph& student = task_.student;
    Mask& mask = task_.masks.at(student.value(layer.weight).name);
    const Tensor& given = student.value(layer.weight).data;
    const Tensor& dense = task_.teacher.value(task_.teacher.node(layer.node).inputs[1]).data;
    const Tensor* bias = layer.bias == kNoValue ? nullptr : &student.value(layer.bias).data;
    const double before = LossOf(statistics, given, bias);
    LayerSolution solution = SolveByMethod(statistics, dense, given, mask, options_, unit.remark);
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
  RepairResult result_;
};

}  // namespace

RepairResult RepairLayers(const RepairTask& task, const LayerRepairOptions& options) {
  return LayerRepair(task, options).Run();
}

}  // namespace sparsify

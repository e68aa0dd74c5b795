#include "reconstruction/least_squares_repair.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "reconstruction/repair_walk.h"
#include "reconstruction/second_order/least_squares.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/progress.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

constexpr int64_t kBytesPerMb = 1'000'000;
using Clock = std::chrono::steady_clock;

int64_t Rows(const Layer& layer) { return layer.weight_shape[0] / layer.groups; }
int64_t Columns(const Layer& layer) { return layer.parameters / layer.weight_shape[0]; }

// Sums of a layer with the copies that solving makes of one group.
int64_t SumsBytes(const Layer& layer) {
  constexpr int64_t kCopies = 3;
  const int64_t group = Columns(layer) * (Columns(layer) + Rows(layer)) * 8;
  return group * (layer.groups + kCopies);
}

// Why the layer cannot be repaired, or empty.
std::string Obstacle(const Graph& graph, const Layer& layer, int64_t limit) {
  const Node& node = graph.node(layer.node);
  if (node.type == OpType::kMatMul) return "MatMul has no bias that could match the means";
  const size_t readers = graph.Consumers(layer.weight).size();
  if (readers > 1) return fmt::format("its weight feeds {} nodes", readers);
  if (layer.bias != kNoValue && !graph.value(layer.bias).is_parameter) {
    return "its bias is computed";
  }
  const Attributes& a = node.attributes;
  if (layer.is_linear &&
      (a.Float("alpha", 1) != 1 || a.Float("beta", 1) != 1 || a.Int("transA", 0) != 0)) {
    return "it scales or transposes (alpha, beta, transA)";
  }
  const int64_t bytes = SumsBytes(layer);
  if (bytes > limit) {
    return fmt::format("its sums take {}, memory_limit is {}", FormatBytes(bytes),
                       FormatBytes(limit));
  }
  return "";
}

const Mask& MaskOf(const Graph& graph, const Layer& layer,
                   const std::map<std::string, Mask>& masks) {
  return masks.at(graph.value(layer.weight).name);
}

void BakeMask(Graph& student, const std::string& name, const Mask& mask) {
  const ValueId id = student.FindValue(name);
  if (id == kNoValue || !student.value(id).is_parameter) {
    Fail(student.name, "there is a mask for \"{}\", which is no parameter of the network", name);
  }
  Tensor& weight = student.mutable_value(id).data;
  if (weight.shape() != mask.shape()) {
    Fail(student.name, "the mask of \"{}\" has shape {}, the weight {}", name,
         mask.shape().ToString(), weight.shape().ToString());
  }
  ApplyMask(mask, weight);
}

// Whether the student's weight differs from the teacher's: pruned weights may be zero in both.
bool IsPruned(const Graph& student, const Graph& teacher, const std::string& name) {
  const ValueId dense = teacher.FindValue(name);
  if (dense == kNoValue || !teacher.value(dense).is_parameter) {
    Fail(teacher.name, "the dense network has no parameter \"{}\"", name);
  }
  const auto kept = student.value(student.FindValue(name)).data.values();
  const auto given = teacher.value(dense).data.values();
  return !std::equal(kept.begin(), kept.end(), given.begin(), given.end());
}

std::string FreeName(const Graph& graph, const std::string& stem) {
  std::string name = stem;
  for (int i = 2; graph.FindValue(name) != kNoValue; ++i) name = stem + std::to_string(i);
  return name;
}

// Puts the bias into the layer's own parameter of one number an output, made if need be.
void WriteBias(Graph& student, const Layer& layer, Tensor bias) {
  const auto node = static_cast<size_t>(layer.node);
  const ValueId old = layer.bias;
  if (old != kNoValue && student.Consumers(old).size() == 1 &&
      student.value(old).data.size() == bias.size()) {
    bias.Reshape(student.value(old).data.shape());
    student.mutable_value(old).data = std::move(bias);
    return;
  }
  const std::string name = FreeName(student, layer.name + ".bias");
  Verbose("{}: gets a bias of its own, \"{}\"", layer.name, name);
  const ValueId added = student.AddParameter(name, std::move(bias));
  student.mutable_nodes()[node].inputs.resize(3, kNoValue);
  student.mutable_nodes()[node].inputs[2] = added;
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

class Repair {
 public:
  Repair(Graph& student, const Graph& teacher, const std::map<std::string, Mask>& masks,
         const std::vector<Layer>& layers, const LeastSquaresRepairOptions& options)
      : student_(student), teacher_(teacher), masks_(masks), options_(options) {
    for (const auto& [name, mask] : masks) BakeMask(student, name, mask);
    bool pruned = false;
    for (const Layer& layer : layers) {
      if (!masks.contains(student.value(layer.weight).name)) continue;
      LeastSquaresRepairReport report;
      report.name = layer.name;
      report.unrepaired = Obstacle(student, layer, options.memory_limit_mb * kBytesPerMb);
      pruned = pruned || IsPruned(student, teacher, student.value(layer.weight).name);
      if (!pruned) {
        report.unrepaired = "nothing is pruned up to here";
        Verbose("{}: not repaired: {}", layer.name, report.unrepaired);
      } else if (!report.unrepaired.empty()) {
        Warn("{}: not repaired: {}", layer.name, report.unrepaired);
      } else {
        work_.push_back({&layer, reports_.size()});
      }
      reports_.push_back(std::move(report));
    }
  }

  std::vector<LeastSquaresRepairReport> Run(const Dataset& calibration) {
    if (work_.empty()) return reports_;
    std::vector<int> nodes;
    for (const Work& work : work_) nodes.push_back(work.layer->node);
    const int64_t fixed = student_.inputs.at(0).shape[0];
    RepairWalk walk(student_, teacher_, nodes, calibration, fixed > 0 ? fixed : options_.batch,
                    options_.memory_limit_mb * kBytesPerMb);
    Announce(walk, calibration.size());
    std::optional<Progress> progress;
    if (!options_.progress.empty()) {
      progress.emplace(options_.progress, calibration.size() * std::ssize(work_));
    }
    for (const Work& work : work_) {
      RepairLayer(*work.layer, walk, progress ? &*progress : nullptr, reports_[work.report]);
    }
    return reports_;
  }

 private:
  struct Work {
    const Layer* layer = nullptr;
    size_t report = 0;
  };

  void Announce(const RepairWalk& walk, int64_t images) const {
    constexpr double kManyPasses = 2;
    Note("{}: least squares on {} layers, {} images, {} output positions of each; {}",
         options_.progress.empty() ? "repair" : options_.progress, work_.size(), images,
         options_.max_positions == 0 ? "all" : fmt::format("at most {}", options_.max_positions),
         walk.Describe());
    if (walk.Passes() < kManyPasses) return;
    Warn(
        "memory_limit {} MB is little for {} images, activations are computed {:.1f} times; at "
        "most {} images need no repetition: raise memory_limit or set data.calibration.count",
        options_.memory_limit_mb, images, walk.Passes(), walk.FittingImages());
  }

  void RepairLayer(const Layer& layer, RepairWalk& walk, Progress* progress,
                   LeastSquaresRepairReport& report) {
    const auto start = Clock::now();
    StatisticsOptions sampling;
    sampling.max_positions = options_.max_positions;
    sampling.seed = options_.seed;
    LayerStatistics statistics(student_.node(layer.node), layer, sampling);
    walk.Next([&](const Tensor& inputs, const Tensor& targets) { statistics.Add(inputs, targets); },
              progress);
    const Tensor* old_bias = layer.bias == kNoValue ? nullptr : &student_.value(layer.bias).data;
    const double before = LossOf(statistics, student_.value(layer.weight).data, old_bias);
    LeastSquaresOptions solving;
    solving.damping = options_.damping;
    const ValueId dense = teacher_.node(layer.node).inputs[1];
    LayerSolution solution = SolveLeastSquares(statistics, teacher_.value(dense).data,
                                               MaskOf(student_, layer, masks_), solving);
    report.loss_before = Relative(before, solution.target_variance);
    report.loss_after = Relative(solution.loss, solution.target_variance);
    report.damping = solution.damping;
    report.damping_raises = solution.damping_raises;
    report.samples = statistics.count();
    student_.mutable_value(layer.weight).data = std::move(solution.weight);
    WriteBias(student_, layer, std::move(solution.bias));
    report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    Verbose("{}: loss {:.4f} → {:.4f} of the variance, damping {:g}, {} samples, {}", report.name,
            report.loss_before, report.loss_after, report.damping, report.samples,
            FormatSeconds(report.seconds));
  }

  Graph& student_;
  const Graph& teacher_;
  const std::map<std::string, Mask>& masks_;
  const LeastSquaresRepairOptions& options_;
  std::vector<Work> work_;
  std::vector<LeastSquaresRepairReport> reports_;
};

}  // namespace

std::vector<LeastSquaresRepairReport> RepairByLeastSquares(
    Graph& student, const Graph& teacher, const std::map<std::string, Mask>& masks,
    const std::vector<Layer>& layers, const Dataset& calibration,
    const LeastSquaresRepairOptions& options) {
  return Repair(student, teacher, masks, layers, options).Run(calibration);
}

}  // namespace sparsify

#include "reconstruction/measure_sensitivity.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

#include "reconstruction/frontier.h"
#include "reconstruction/image_subset.h"
#include "reconstruction/layer_weights.h"
#include "reconstruction/network_suffix.h"
#include "reconstruction/phase_timer.h"
#include "reconstruction/sensitivity_cost.h"
#include "reconstruction/sensitivity_trial.h"
#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/progress.h"
#include "sparsity/base/text.h"
#include "sparsity/graph/logits.h"
#include "sparsity/training/batch_loader.h"

namespace sparsify {
namespace {

constexpr int64_t kBytesPerMb = 1'000'000;

using Clock = std::chrono::steady_clock;

/// A layer to be measured.
struct Work {
  const Layer* layer = nullptr;
  size_t index = 0;      // into the task's layers
  int keep = 0;          // where the cut stays when this layer is done
  std::string obstacle;  // why its weights are masked and not solved for, or empty
};

void AddPoints(const std::vector<Trial>& trials, SensitivityCurve& curve) {
  for (const Trial& trial : trials) {
    const double loss = trial.loss.Value();
    if (!std::isfinite(loss)) {
      Fail(curve.layer, "the network's output is not finite with {:.4g} % of it pruned",
           100 * trial.sparsity);
    }
    curve.sparsity.push_back(trial.sparsity);
    curve.loss.push_back(loss);
  }
  Verbose("{}: loss {:.4g} at {:.4g} % … {:.4g} at {:.4g} %", curve.layer, curve.loss.front(),
          100 * curve.sparsity.front(), curve.loss.back(), 100 * curve.sparsity.back());
}

class Measurement {
 public:
  Measurement(const SensitivityTask& task, const SensitivityOptions& options)
      : task_(task),
        options_(options),
        graph_(task.graph),
        limit_(options.memory_limit_mb * kBytesPerMb),
        batch_(graph_.inputs.at(0).shape[0] > 0 ? graph_.inputs[0].shape[0] : options.batch),
        images_(ImageSubset::Shuffled(task.calibration, options.seed)),
        logits_(LogitsOf(graph_)),
        batches_(BatchCount(images_.size())),
        measured_batches_(std::min(batches_, BatchCount(std::max(int64_t{1}, options.images)))),
        cost_(task.layers, images_.size(), options.max_positions, measured_batches_ * batch_,
              std::ssize(options.levels)),
        frontier_(graph_, batches_, batch_),
        in_batch_(static_cast<size_t>(batches_), -1),
        reference_(static_cast<size_t>(measured_batches_)) {
    CheckOptions();
    FindWork();
  }

  std::vector<SensitivityCurve> Run() {
    const auto start = Clock::now();
    Announce();
    if (!options_.progress.empty() && !work_.empty()) {
      double total = 0;
      for (const Work& work : work_) total += UnitsOf(work);
      progress_.emplace(options_.progress, static_cast<int64_t>(total));
    }
    for (const Work& work : work_) {
      curves_[work.index] = MeasureLayer(work);
      if (task_.on_layer) task_.on_layer(Finished());
    }
    if (!options_.progress.empty() && !work_.empty()) {
      Note("{}: {} layers in {} (dense network {}, statistics {}, solving {}, pruned networks {})",
           options_.progress, work_.size(), FormatSeconds(SecondsSince(start)),
           FormatSeconds(seconds_.forward), FormatSeconds(seconds_.statistics),
           FormatSeconds(seconds_.solve), FormatSeconds(seconds_.trials));
    }
    return Finished();
  }

 private:
  int64_t BatchCount(int64_t images) const { return (images + batch_ - 1) / batch_; }

  void CheckOptions() const {
    if (images_.size() == 0) Fail("calibration", "no image; measuring sensitivity needs some");
    double last = 0;
    for (const double level : options_.levels) {
      if (!(level > last && level < 1)) {
        Fail("sensitivity", "level {} after {}; levels must increase within 0 … 1", level, last);
      }
      last = level;
    }
    if (options_.levels.empty()) Fail("sensitivity", "no levels given");
    if (options_.images < 1) Fail("sensitivity", "{} images, expected at least 1", options_.images);
  }

  void FindWork() {
    curves_.resize(task_.layers.size());
    int cut = 0;
    const int64_t images = options_.repair ? images_.size() : measured_batches_ * batch_;
    for (size_t i = 0; i < task_.layers.size(); ++i) {
      const Layer& layer = task_.layers[i];
      if (!task_.skipped[i].empty()) continue;
      if (const SensitivityCurve* known = FindCurve(task_.measured, layer.name)) {
        curves_[i] = *known;
        continue;
      }
      int keep = layer.node;
      while (keep > cut && frontier_.BytesPerImage(keep) * images > limit_) --keep;
      work_.push_back({&layer, i, keep,
                       options_.repair
                           ? LayerObstacle(graph_, layer, limit_, options_.damping_search)
                           : "repair is off"});
      cut = keep;
    }
  }

  std::vector<SensitivityCurve> Finished() const {
    std::vector<SensitivityCurve> finished;
    for (const SensitivityCurve& curve : curves_) {
      if (!curve.sparsity.empty()) finished.push_back(curve);
    }
    return finished;
  }

  void Announce() const;
  double UnitsOf(const Work& work) const;
  void Advance(double units);

  SensitivityCurve MeasureLayer(const Work& work);
  // The first batch that least squares looks at: weights fitted to the images that judge them
  // would look better than they are, most so in a fully connected layer with a sample an image.
  int64_t SolvedFrom() const {
    return BatchCount(UsableImages()) >= 2 * measured_batches_ ? measured_batches_ : 0;
  }
  // Of a fixed batch that is cut short nothing is used.
  int64_t UsableImages() const {
    return graph_.inputs[0].shape[0] > 0 ? images_.size() / batch_ * batch_ : images_.size();
  }
  // Where memory allows: repair says where it does not.
  bool SearchesDamping(const Layer& layer) const {
    return options_.damping_search &&
           LayerObstacle(graph_, layer, limit_, /*searches=*/true).empty();
  }
  LayerStatistics Gather(const Work& work);
  void RunTrials(const Work& work, std::vector<Trial>& trials);
  CutValues Fetch(const Work& work, const LayerRunner& runner, int64_t k, const Tensor* images);
  template <class Body>
  void ForEachBatch(int64_t count, bool reads_images, Body body);
  // Whether something at or behind the cut does.
  bool ReadsImages() const {
    return frontier_.ReadsImages(cut_, static_cast<int>(graph_.nodes().size()));
  }

  const SensitivityTask& task_;
  const SensitivityOptions& options_;
  const Graph& graph_;
  const int64_t limit_;
  const int64_t batch_;
  const ImageSubset images_;
  const ValueId logits_;
  const int64_t batches_;
  const int64_t measured_batches_;
  const SensitivityCost cost_;
  Frontier frontier_;
  int cut_ = 0;                    // every batch stands here or further on
  std::vector<int64_t> in_batch_;  // images of each batch, −1: not known yet
  std::vector<Tensor> reference_;  // the dense network's logits of the measured batches
  std::vector<Work> work_;
  std::vector<SensitivityCurve> curves_;  // by layer; empty: none (yet)
  std::optional<Progress> progress_;
  double units_ = 0;  // done, a fraction of a unit may be left over
  struct {
    double forward = 0, statistics = 0, solve = 0, trials = 0;
  } seconds_;
};

void Measurement::Announce() const {
  if (options_.progress.empty()) return;
  if (!task_.measured.empty()) {
    Note("{}: {} layers were measured before", options_.progress, Finished().size());
  }
  if (work_.empty()) return;
  std::vector<std::string> levels;
  for (const double level : options_.levels) levels.push_back(fmt::format("{:g}", 100 * level));
  int64_t bytes = 0;
  int64_t behind = 0;
  double units = 0;
  for (const Work& work : work_) {
    bytes = std::max(bytes, frontier_.BytesPerImage(work.keep));
    behind += work.keep < work.layer->node ? 1 : 0;
    units += cost_.Trials(*work.layer);
  }
  const int64_t images = std::min(images_.size(), measured_batches_ * batch_);
  const int64_t kept = options_.repair ? UsableImages() : images;
  Note(
      "{}: {} layers, each alone at {} %, by {}; {} on {} images; {}; kept activations take up to "
      "{}; the work of {:.0f} forward passes of an image",
      options_.progress, work_.size(), fmt::join(levels, ", "), task_.generator.type(),
      options_.loss == OutputLossKind::kKl ? "KL divergence" : "squared error", images,
      !options_.repair   ? "weights masked only"
      : SolvedFrom() > 0 ? fmt::format("least squares on the {} others", kept - images)
                         : fmt::format("least squares on {} images, these among them", kept),
      FormatBytes(bytes * kept), units / std::max(1e-30, cost_.Network()));
  if (behind == 0) return;
  Warn(
      "memory_limit {} MB is little for {} images: activations before {} of {} layers are computed "
      "again; raise memory_limit or set data.calibration.count",
      options_.memory_limit_mb, kept, behind, work_.size());
}

double Measurement::UnitsOf(const Work& work) const {
  const double trials = cost_.Trials(*work.layer);
  if (!work.obstacle.empty()) return trials;
  return trials + cost_.Statistics(*work.layer) + cost_.Solving(*work.layer);
}

void Measurement::Advance(double units) {
  if (!progress_) return;
  units_ += units;
  const double whole = std::floor(units_);
  units_ -= whole;
  progress_->Advance(static_cast<int64_t>(whole));
}

SensitivityCurve Measurement::MeasureLayer(const Work& work) {
  const Layer& layer = *work.layer;
  SensitivityCurve curve{layer.name, layer.parameters, layer.macs, {}, {}};
  const Tensor& weight = graph_.value(layer.weight).data;
  const MaskContext context{layer.name, layer.groups, options_.seed, work.index};
  std::vector<Trial> trials =
      MakeTrials(weight, context, task_.generator, options_.levels, options_.loss);
  if (trials.empty()) {
    Note("{}: {} cannot prune it at any level; it stays dense", layer.name, task_.generator.type());
    Advance(UnitsOf(work));
    curve.sparsity = {0};
    curve.loss = {0};
    return curve;
  }
  if (work.obstacle.empty()) {
    const LayerStatistics statistics = Gather(work);
    const auto start = Clock::now();
    SolveTrials(statistics, weight, options_.damping, options_.damping_search, trials);
    seconds_.solve += SecondsSince(start);
    Advance(cost_.Solving(layer));
  } else if (options_.repair) {
    Note("{}: measured with masked weights: {}", layer.name, work.obstacle);
  }
  const auto start = Clock::now();
  RunTrials(work, trials);
  seconds_.trials += SecondsSince(start);
  // Without solving, batches that the loss is not measured on have stayed where they were.
  if (work.obstacle.empty() || !options_.repair) cut_ = work.keep;
  AddPoints(trials, curve);
  return curve;
}

template <class Body>
void Measurement::ForEachBatch(int64_t count, bool reads_images, Body body) {
  const bool load = reads_images || std::any_of(in_batch_.begin(), in_batch_.begin() + count,
                                                [](int64_t images) { return images < 0; });
  std::optional<BatchLoader> loader;
  if (load) loader.emplace(images_, batch_);
  const bool fixed = graph_.inputs[0].shape[0] > 0;
  int64_t total = 0;
  for (int64_t k = 0; k < count; ++k) {
    ThrowIfInterrupted();
    int64_t& images = in_batch_[static_cast<size_t>(k)];
    const Batch* batch = loader ? loader->Next() : nullptr;
    if (batch != nullptr) images = batch->images.shape()[0];
    if (images == 0 || (fixed && images != batch_)) continue;
    body(k, batch != nullptr ? &batch->images : nullptr);
    total += images;
  }
  if (total == 0) Fail("calibration", "no image is left of {}", images_.size());
}

LayerStatistics Measurement::Gather(const Work& work) {
  const Layer& layer = *work.layer;
  const Node& node = graph_.node(layer.node);
  StatisticsOptions sampling;
  sampling.max_positions = options_.max_positions;
  sampling.seed = options_.seed;
  sampling.hold_back = SearchesDamping(layer);
  LayerStatistics statistics(node, layer, sampling);
  const Tensor& weight = graph_.value(layer.weight).data;
  ForEachBatch(batches_, ReadsImages(), [&](int64_t k, const Tensor* images) {
    const auto start = Clock::now();
    CutValues cut;
    cut[node.inputs[0]] = frontier_.Advance(k, images, work.keep, layer.node, node.inputs[0]);
    if (k < SolvedFrom()) {
      seconds_.forward += SecondsSince(start);
      Advance(cost_.Statistics(layer) / static_cast<double>(batches_));
      return;
    }
    const Tensor targets = RunLayer(graph_, layer, cut, weight, ParameterBias(graph_, layer));
    const double forward = SecondsSince(start);
    statistics.Add(cut[node.inputs[0]], targets);
    seconds_.forward += forward;
    seconds_.statistics += SecondsSince(start) - forward;
    Advance(cost_.Statistics(layer) / static_cast<double>(batches_));
  });
  return statistics;
}

void Measurement::RunTrials(const Work& work, std::vector<Trial>& trials) {
  const Layer& layer = *work.layer;
  if (graph_.Producer(logits_) < layer.node) return;  // it has no part in the output: loss 0
  LayerRunner runner(graph_, layer, logits_, batch_, task_.make_network);
  ForEachBatch(measured_batches_, ReadsImages(), [&](int64_t k, const Tensor* images) {
    CutValues cut = Fetch(work, runner, k, images);
    Tensor& reference = reference_[static_cast<size_t>(k)];
    if (reference.empty()) {
      runner.Run(cut, graph_.value(layer.weight).data, ParameterBias(graph_, layer), reference);
    }
    Tensor logits;
    for (Trial& trial : trials) {
      ThrowIfInterrupted();
      const Tensor* bias = trial.bias ? &*trial.bias : ParameterBias(graph_, layer);
      runner.Run(cut, trial.weight, bias, logits);
      trial.loss.Add(reference, logits);
    }
    Advance(cost_.Trials(layer) / static_cast<double>(measured_batches_));
  });
}

// What the layer and the network behind it read of batch k.
CutValues Measurement::Fetch(const Work& work, const LayerRunner& runner, int64_t k,
                             const Tensor* images) {
  const auto start = Clock::now();
  CutValues cut;
  for (const ValueId id : runner.reads()) {
    cut[id] = frontier_.Advance(k, images, work.keep, work.layer->node, id);
  }
  seconds_.forward += SecondsSince(start);
  return cut;
}

}  // namespace

std::vector<SensitivityCurve> MeasureSensitivity(const SensitivityTask& task,
                                                 const SensitivityOptions& options) {
  return Measurement(task, options).Run();
}

}  // namespace sparsify

#include "sparsity/cli/describe_plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "reconstruction/distillation_batches.h"
#include "sparsity/base/file.h"
#include "sparsity/base/text.h"
#include "sparsity/cli/network.h"
#include "sparsity/cli/rank_exchange.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

/// What decides which weights go.
std::string MaskName(const SparsityOptions& options) {
  return options.scheduler.type == "AmpereScheduler"
             ? options.scheduler.ampere.mask_calculator + " masks"
             : options.mask_generator.type;
}

std::string DescribeNetwork(const PreparedRun& run) {
  int64_t macs = 0;
  for (const Layer& layer : run.layers) macs += layer.macs;
  const auto pruned = std::count(run.skipped.begin(), run.skipped.end(), "");
  return fmt::format(
      "network     {} ({}): input {}, {} classes, {:.3f} M parameters, {:.1f} M multiply-adds\n"
      "layers      {} of {} are pruned; stay dense: {}\n",
      run.network, run.config.model.path, ImageShape(run.model.graph).ToString(), run.classes,
      static_cast<double>(CountParameters(run.model.graph)) / 1e6, static_cast<double>(macs) / 1e6,
      pruned, run.layers.size(), DescribeSkipped(run.skipped));
}

/// What the sweep's percent are of.
std::string BudgetText(const AllocationOptions& allocation) {
  if (allocation.type == "Sensitivity" && allocation.budget == "size") return "network's bytes";
  if (allocation.type == "Sensitivity" && allocation.budget == "macs") {
    return "network's multiply-adds";
  }
  return "pruned layers' weights";
}

std::string DescribeRepair(const PreparedRun& run) {
  const auto& repair = run.config.sparsity.reconstruction;
  if (!repair) return "none";
  const std::string method =
      repair->IsAdam() ? "adam, " + repair->pattern + "-wise" : repair->method;
  if (!run.calibration) return method;
  int64_t images = run.calibration->size();
  std::string polish;
  if (repair->polish) {
    const int64_t multiple = UsableBatch(run.model.graph, 1);
    const auto held_back = std::ssize(DistillationBatches::HeldBack(images, multiple));
    images -= held_back;
    polish =
        fmt::format("; polish: {} steps of {} of them, judged on {} others",
                    repair->polish->max_count, std::min(repair->polish->batch, images), held_back);
  }
  return fmt::format("{} on {} images of {}, memory_limit {} MB{}", method, images,
                     run.config.data.calibration->path, repair->memory_limit, polish);
}

std::string DescribeMethod(const PreparedRun& run) {
  const SparsityOptions& s = run.config.sparsity;
  return fmt::format("method      {}, {}, {} allocation, repair: {}\n", MaskName(s),
                     s.scheduler.type, run.allocation.type, DescribeRepair(run));
}

/// Where the curves come from.
std::string DescribeCurves(const PreparedRun& run) {
  const AllocationOptions& allocation = run.allocation;
  if (!allocation.curves_file.empty()) {
    return fmt::format("sensitivity from {}\n", allocation.curves_file);
  }
  const std::string levels = fmt::format("{}", fmt::join(allocation.levels, ", "));
  if (!run.MeasuresCurves()) {
    return fmt::format(
        "sensitivity the share of each layer's energy that goes at {} % (loss: energy)\n", levels);
  }
  const Dataset& images = run.calibration ? *run.calibration : *run.measuring;
  return fmt::format(
      "sensitivity measured first: every layer alone at {} %, on {} of {} images of {}\n", levels,
      std::min(allocation.images, images.size()), images.size(), run.config.data.calibration->path);
}

/// Where the times come from, and what is asked for.
std::string DescribeTimes(const PreparedRun& run) {
  const AllocationOptions& allocation = run.allocation;
  const BenchmarkOptions& benchmark = *run.config.benchmark;
  const std::string source =
      allocation.times_file.empty()
          ? fmt::format("measured first: the whole network with every layer at 0, {} %",
                        fmt::join(allocation.time_levels, ", "))
          : "from " + allocation.times_file;
  return fmt::format(
      "times       {}; batch {}, {} threads\n"
      "targets     {} {}; timed and corrected until within {:.3g} %, {} rounds at most; what each "
      "layer gives is known after that\n",
      source, benchmark.batch.front(), benchmark.threads.front(),
      allocation.budget == "speedup" ? "speed-up over dense" : "milliseconds a run",
      fmt::join(run.goals, ", "), 100 * allocation.time_tolerance, allocation.time_rounds);
}

/// What is measured before the layers' sparsities are known.
std::string DescribeMeasuring(const PreparedRun& run) {
  if (run.HasTimeBudget()) return DescribeCurves(run) + DescribeTimes(run);
  return DescribeCurves(run) +
         fmt::format("sparsities  {} % of the {}; what each layer gives is known after that\n",
                     fmt::join(run.levels, ", "), BudgetText(run.allocation));
}

/// What is learned before the layers' sparsities are known.
std::string DescribeLearning(const PreparedRun& run) {
  const Dataset& images = run.calibration ? *run.calibration : *run.measuring;
  return fmt::format(
      "allocation  learned first at each sparsity: {} steps of {} images from {} of {}\n"
      "sparsities  {} % of the {}; what each layer gives is known after that\n",
      run.allocation.fcpts_steps, run.allocation.fcpts_batch, images.size(),
      run.config.data.calibration->path, fmt::join(run.levels, ", "), BudgetText(run.allocation));
}

std::string DescribeLevels(const PreparedRun& run) {
  if (run.SettlesLater()) return DescribeMeasuring(run);
  if (run.LearnsSparsities()) return DescribeLearning(run);
  std::string text = fmt::format("sparsities  percent of the {}; lowest … highest layer\n",
                                 BudgetText(run.allocation));
  for (size_t i = 0; i < run.levels.size(); ++i) {
    double low = 1;
    double high = 0;
    for (const LayerTarget& target : run.targets[i]) {
      if (!target.skipped.empty()) continue;
      low = std::min(low, target.sparsity);
      high = std::max(high, target.sparsity);
    }
    text += fmt::format("            {:>5} %: {:.1f} … {:.1f} %\n", FormatPercent(run.levels[i]),
                        low * 100, high * 100);
  }
  return text;
}

std::string DescribeMeasurements(const PreparedRun& run) {
  std::string text = run.evaluation
                         ? fmt::format("evaluation  {} images of {}, {} at a time\n",
                                       run.evaluation->size(), run.config.data.evaluation->path,
                                       UsableBatch(run.model.graph, run.config.evaluation.batch))
                         : "evaluation  none (no data.evaluation)\n";
  if (const auto& b = run.config.benchmark) {
    text += fmt::format("benchmark   batch [{}], threads [{}], streams [{}], {}, {} repetitions\n",
                        fmt::join(b->batch, ", "), fmt::join(b->threads, ", "),
                        fmt::join(b->streams, ", "), fmt::join(b->precision, ", "), b->repetitions);
  } else {
    text += "benchmark   none\n";
  }
  return text;
}

std::string DescribeTraining(const PreparedRun& run) {
  if (!run.training) return "";
  const TrainingOptions& training = *run.config.training;
  std::vector<std::string> parts;
  if (run.TrainsDense()) {
    parts.push_back(
        fmt::format("{} steps from random weights", training.Steps(run.training->size())));
  }
  if (!run.steps.empty()) {
    parts.push_back(fmt::format("{} steps of each {}", run.steps.front(),
                                run.scheduler->Continues() ? "stage, one after the other"
                                                           : "sparsity, from the dense network"));
  }
  return fmt::format("training    {}; {} of {} from {}, {}, learning rate {}, {}, {}\n",
                     fmt::join(parts, "; "), training.ImagesText(), run.training->size(),
                     run.config.data.training->path, training.optimizer, training.lr,
                     training.lr_schedule, training.precision);
}

}  // namespace

std::string DescribePlan(const PreparedRun& run, const std::string& folder_state) {
  const std::string& folder = run.config.output.dir;
  return DescribeNetwork(run) + DescribeMethod(run) +
         (run.levels.empty() ? "" : DescribeLevels(run)) + DescribeTraining(run) +
         DescribeMeasurements(run) +
         (SharingOf(run) == Sharing::kAlone
              ? ""
              : fmt::format("processes   {}\n", DescribeSharing(run))) +
         fmt::format(
             "output      {} ({}): {} checkpoints, about {} of {} free; {}{}layers.csv, "
             "{}{}{}{}times.csv, resolved.yaml, report.html\n",
             folder, folder_state, run.levels.size(),
             FormatBytes(EstimateCheckpointBytes(run, run.levels)),
             FormatBytes(FreeDiskSpace(folder)), run.evaluation ? "accuracy.csv, " : "",
             run.config.benchmark ? "speedup.csv, " : "", run.AllocationFiles(),
             run.config.sparsity.reconstruction ? "repair.csv, " : "",
             run.training ? "training.csv, " : "",
             run.training && run.config.training->tensorboard ? "events/, " : "");
}

std::string DescribeSkipped(const std::vector<std::string>& reasons) {
  std::map<std::string, int64_t> counts;
  for (const std::string& reason : reasons) {
    if (!reason.empty()) ++counts[reason];
  }
  std::vector<std::string> items;
  for (const auto& [reason, count] : counts) items.push_back(fmt::format("{} × {}", count, reason));
  return items.empty() ? "none" : fmt::format("{}", fmt::join(items, ", "));
}

}  // namespace sparsify

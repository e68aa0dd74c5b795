#include "reconstruction/repair_walk.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "reconstruction/phase_timer.h"
#include "reconstruction/repair.h"
#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/training/batch_loader.h"

namespace sparsify {
namespace {

int64_t BatchCount(const Dataset& dataset, int64_t batch) {
  if (dataset.size() == 0) Fail("calibration", "no image; repair needs some");
  if (batch < 1) Fail("calibration", "batch size {}, expected at least 1", batch);
  return (dataset.size() + batch - 1) / batch;
}

}  // namespace

RepairWalk::RepairWalk(const Graph& student, const Graph& teacher, const std::vector<int>& nodes,
                       const Dataset& calibration, int64_t batch, int64_t limit)
    : student_(student),
      teacher_(teacher),
      calibration_(calibration),
      batch_(batch),
      limit_(limit),
      student_frontier_(student, BatchCount(calibration, batch), batch, &pool_),
      teacher_frontier_(teacher, BatchCount(calibration, batch), batch, &pool_),
      images_(static_cast<size_t>(BatchCount(calibration, batch)), -1) {
  CheckSameNodes(student, teacher);
  Plan(nodes, limit);
  FindPasses();
}

// Of the cuts up to each node the last that fits; the teacher's may lie behind the node, as its
// weights do not change.
void RepairWalk::Plan(const std::vector<int>& nodes, int64_t limit) {
  Step last;
  for (const int node : nodes) {
    Step step;
    step.node = node;
    step.student.cut = last.student.keep;
    step.teacher.cut = last.teacher.keep;
    const int first = std::min(step.student.cut, step.teacher.cut);
    for (int keep = node + 1; keep >= first; --keep) {
      step.student.keep = std::max(step.student.cut, std::min(keep, node));
      step.teacher.keep = std::max(step.teacher.cut, keep);
      const int64_t bytes = BytesPerImage(step.student.keep, step.teacher.keep);
      if (bytes * calibration_.size() <= limit) break;
    }
    steps_.push_back(step);
    last = step;
  }
}

void RepairWalk::FindPasses() {
  const auto shapes = InferShapes(student_, batch_);
  const auto work = [&](int begin, int end) {
    double sum = 0;
    for (int i = begin; i < end; ++i) {
      for (const ValueId id : student_.node(i).outputs) {
        if (id != kNoValue) {
          sum += static_cast<double>(shapes[static_cast<size_t>(id)].NumElements());
        }
      }
    }
    return sum;
  };
  double done = 0;
  for (const Step& step : steps_) {
    done += work(step.student.cut, step.node) + work(step.teacher.cut, step.node + 1);
  }
  const int end = steps_.empty() ? 0 : steps_.back().node;
  const double once = steps_.empty() ? 0 : work(0, end) + work(0, end + 1);
  passes_ = once > 0 ? done / once : 1;
}

std::string RepairWalk::Describe() const {
  int64_t most = 0;
  for (const Step& step : steps_) {
    most = std::max(most, BytesPerImage(step.student.keep, step.teacher.keep));
  }
  return fmt::format("kept activations take up to {}, {:.1f} forward passes",
                     FormatBytes(most * calibration_.size()), passes_);
}

int64_t RepairWalk::FittingImages() const {
  int64_t most = 1;
  for (const Step& step : steps_) most = std::max(most, BytesPerImage(step.node, step.node));
  return limit_ / most;
}

void RepairWalk::FailWithoutImages() const {
  const int64_t fixed = student_.inputs[0].shape[0];
  if (fixed > 0 && calibration_.size() < fixed) {
    Fail("calibration", "{} images, the network takes batches of exactly {}; give at least {}",
         calibration_.size(), fixed, fixed);
  }
  Fail("calibration", "no image is left of {}", calibration_.size());
}

int64_t RepairWalk::Next(const Visitor& visitor, Progress* progress) {
  const Step& step = steps_.at(next_++);
  const bool reads = student_frontier_.ReadsImages(step.student.cut, step.node) ||
                     teacher_frontier_.ReadsImages(step.teacher.cut, step.node + 1);
  std::optional<BatchLoader> loader;
  if (reads) loader.emplace(calibration_, batch_);
  int64_t total = 0;
  for (size_t k = 0; k < images_.size(); ++k) {
    ThrowIfInterrupted();
    const Batch* batch = nullptr;
    if (loader) {
      const PhaseTimer waiting(seconds_.load);
      batch = loader->Next();
    }
    if (batch != nullptr) images_[k] = batch->images.shape()[0];
    const bool short_of_fixed = student_.inputs[0].shape[0] > 0 && images_[k] != batch_;
    if (images_[k] > 0 && !short_of_fixed) {
      RunBatch(step, static_cast<int64_t>(k), batch ? &batch->images : nullptr, visitor);
      total += images_[k];
    }
    if (progress != nullptr) {
      const auto first = static_cast<int64_t>(k) * batch_;
      progress->Advance(std::min(batch_, calibration_.size() - first));
    }
  }
  if (total == 0) FailWithoutImages();
  if (next_ == 1 && total < calibration_.size()) {
    Warn("calibration uses {} of {} images; broken ones and a batch that is short are left out",
         total, calibration_.size());
  }
  return total;
}

void RepairWalk::RunBatch(const Step& step, int64_t k, const Tensor* images,
                          const Visitor& visitor) {
  const Tensor* inputs = nullptr;
  const Tensor* targets = nullptr;
  {
    const PhaseTimer computing(seconds_.forward);
    inputs = &student_frontier_.Advance(k, images, step.student.keep, step.node,
                                        student_.node(step.node).inputs[0]);
    targets = &teacher_frontier_.Advance(k, images, step.teacher.keep, step.node + 1,
                                         teacher_.node(step.node).outputs[0]);
  }
  const PhaseTimer visiting(seconds_.visit);
  visitor(*inputs, *targets);
}

}  // namespace sparsify

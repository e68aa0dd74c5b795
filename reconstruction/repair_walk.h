// The walk of a teacher and a student through their nodes in step, from layer to layer, over
// all calibration images, within a memory limit.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reconstruction/frontier.h"
#include "reconstruction/tensor_pool.h"
#include "sparsity/base/progress.h"
#include "sparsity/data/dataset.h"

namespace sparsify {

class RepairWalk {
 public:
  /// Stops before each of `nodes` (ascending); the first pass computes everything before the
  /// first of them, so a walk may begin in the middle of the network. Keeps references. `limit` is
  /// the bytes for the kept activations of both networks. `student` and `teacher` hold the same
  /// nodes. Throws Error when they do not, or when `calibration` is empty.
  RepairWalk(const Graph& student, const Graph& teacher, const std::vector<int>& nodes,
             const Dataset& calibration, int64_t batch, int64_t limit);

  /// Called with the student's first input of the node and the teacher's first output of it,
  /// for the same images.
  using Visitor = std::function<void(const Tensor& inputs, const Tensor& targets)>;

  /// One pass over the images for the next of `nodes`. Weights of the student's earlier nodes
  /// must be final. Returns the number of images. Broken images are left out (SampleSkipped).
  /// Polls for Ctrl-C; advances `progress` (may be null) by the images.
  int64_t Next(const Visitor& visitor, Progress* progress);

  /// "kept activations take up to 1.61 GB, 1.8 forward passes": what the limit leads to.
  std::string Describe() const;
  /// The nodes computed, relative to one pass without repetition (by the number of activations).
  double Passes() const { return passes_; }
  /// Images with which nothing would have to be computed twice.
  int64_t FittingImages() const;

  /// Wall time of the passes so far.
  struct Seconds {
    double load = 0;     // waiting for images
    double forward = 0;  // both networks
    double visit = 0;    // in the visitor
  };
  const Seconds& seconds() const { return seconds_; }

 private:
  // Where the batches of a network stand before and after a step.
  struct Move {
    int cut = 0;
    int keep = 0;
  };
  struct Step {
    int node = 0;
    Move student, teacher;
  };

  int64_t BytesPerImage(int student_cut, int teacher_cut) const {
    return student_frontier_.BytesPerImage(student_cut) +
           teacher_frontier_.BytesPerImage(teacher_cut);
  }
  void Plan(const std::vector<int>& nodes, int64_t limit);
  void FindPasses();
  [[noreturn]] void FailWithoutImages() const;
  void RunBatch(const Step& step, int64_t k, const Tensor* images, const Visitor& visitor);

  const Graph& student_;
  const Graph& teacher_;
  const Dataset& calibration_;
  const int64_t batch_;
  const int64_t limit_;
  TensorPool pool_;
  Frontier student_frontier_;
  Frontier teacher_frontier_;
  std::vector<Step> steps_;
  size_t next_ = 0;
  std::vector<int64_t> images_;  // in each batch, known after the first pass
  double passes_ = 1;
  Seconds seconds_;
};

}  // namespace sparsify

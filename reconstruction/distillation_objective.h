// The loss of distillation on a batch of images, and its gradient for the student's parameters.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reconstruction/distillation_targets.h"
#include "sparsity/ops/graph_pass.h"

namespace sparsify {

class DistillationObjective {
 public:
  /// Images that go through the networks together: few, so that little memory is in use at a time.
  /// A network with a batch size of its own gets that many.
  static constexpr int64_t kPart = 4;

  struct Options {
    bool squared_logits = true;  // error of the logits; false: divergence of the predictions
    double logits_weight = 1;
    double block_weight = 1;
    Precision precision = Precision::kF32;  // of both networks
  };

  /// Keeps references to both graphs. `layers` are the student's.
  DistillationObjective(const Graph& student, const Graph& teacher,
                        const std::vector<Layer>& layers, DistillationTargets targets,
                        const Options& options);

  /// Images of a part of a batch: kPart, or what the network takes.
  int64_t PartSize() const { return fixed_batch_ > 0 ? fixed_batch_ : kPart; }

  /// Runs the teacher on `images` for the variances that divide squared errors; outputs that are
  /// constant are dropped. Must come first. Returns how the outputs of each layer spread.
  std::vector<Spread> Measure(const Tensor& images);
  /// The blocks that count, and those that Measure dropped.
  const std::vector<Compared>& blocks() const { return targets_.blocks; }
  const std::vector<std::string>& dropped() const { return dropped_; }

  /// Mean over `images` (N×C×H×W; with a fixed batch size as many of them as make whole batches,
  /// 0 if that is none) of the loss that distill.h defines, with `parameters` in place of the
  /// student's own. Unless `gradients` is null its keys say which gradients are wanted; they are
  /// resized and overwritten. Equal to the bit for an equal number of threads. Polls for Ctrl-C.
  double Loss(const Tensor& images, const std::map<ValueId, const Tensor*>& parameters,
              std::map<ValueId, Tensor>* gradients);

  /// Wall time so far: "teacher", "student forward", "backward".
  std::map<std::string, double> Seconds() const;

 private:
  using Pointers = std::map<ValueId, const Tensor*>;
  using Gradients = std::map<ValueId, LaidOut>;

  // One thread's networks and sums. Threads share nothing while they work, so that they
  // never wait for each other within a batch.
  struct Worker {
    Worker(GraphPass of_student, GraphPass of_teacher)
        : student(std::move(of_student)), teacher(std::move(of_teacher)) {}

    GraphPass student;
    GraphPass teacher;
    Tensor part;
    double loss = 0;
    bool has_gradients = false;
    std::map<ValueId, Tensor> gradients;         // of the parameters, summed over parts
    std::map<ValueId, Tensor> part_gradients;    // and of one part
    std::map<ValueId, Tensor> target_gradients;  // of what is compared
    std::map<std::string, double> seconds;
  };

  /// Calls body(worker, its number, images used in all) for every part of `images`, put into
  /// worker.part, on several threads; which worker takes which part is fixed. Returns the number
  /// of workers.
  template <class Body>
  size_t ForParts(const Tensor& images, const Body& body);
  void RunTeacher(Worker& worker) const;
  void MeasureLogits(double variance);
  double CompareLogits(Worker& worker, double share, Tensor* gradient) const;
  double CompareBlock(Worker& worker, size_t block, double share, Gradients* gradients) const;
  double CompareOutputs(Worker& worker, double share, Gradients* gradients) const;
  void AddPart(Worker& worker, double share, const Pointers& parameters,
               const std::map<ValueId, Tensor>* wanted) const;
  void SumGradients(size_t workers, std::map<ValueId, Tensor>& gradients) const;

  const Graph& student_graph_;
  const Graph& teacher_graph_;
  std::vector<ValueId> layer_outputs_;  // in the teacher
  DistillationTargets targets_;
  Options options_;
  int64_t fixed_batch_;
  std::vector<double> variances_;  // of targets_.blocks
  double logits_variance_ = 1;
  std::vector<std::string> dropped_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace sparsify

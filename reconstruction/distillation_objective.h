// The loss of distillation on a batch of images, and its gradient for the student's parameters.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reconstruction/distillation_targets.h"
#include "reconstruction/unit_runner.h"

namespace sparsify {

class DistillationObjective {
 public:
  /// Images that go through the networks together: few, so that activations stay in the caches.
  /// A network with a batch size of its own gets that many.
  static constexpr int64_t kPart = 8;

  struct Weights {
    double logits = 1;
    double blocks = 1;
  };

  /// Keeps references to both graphs. `layers` are the student's.
  DistillationObjective(const Graph& student, const Graph& teacher,
                        const std::vector<Layer>& layers, DistillationTargets targets,
                        const Weights& weights);

  /// Runs the teacher on `images` for the variances that divide the blocks' errors; blocks that
  /// are constant are dropped. Must come first. Returns how the outputs of each layer spread.
  std::vector<Spread> Measure(const Tensor& images);
  /// The blocks that count, and those that Measure dropped.
  const std::vector<Compared>& blocks() const { return targets_.blocks; }
  const std::vector<std::string>& dropped() const { return dropped_; }

  /// Mean over `images` (N×C×H×W; with a fixed batch size as many of them as make whole batches,
  /// 0 if that is none) of the loss that distill.h defines, with `parameters` in place of the
  /// student's own. Unless `gradients` is null its keys say which gradients are wanted; they are
  /// resized and overwritten. Polls for Ctrl-C.
  double Loss(const Tensor& images, const std::map<ValueId, const Tensor*>& parameters,
              std::map<ValueId, Tensor>* gradients);

  /// Wall time so far: "teacher", "student forward", "backward".
  const std::map<std::string, double>& seconds() const { return seconds_; }

 private:
  using Pointers = std::map<ValueId, const Tensor*>;

  /// Calls body(part, images used in all) for the parts of `images`.
  template <class Body>
  void ForParts(const Tensor& images, const Body& body);
  void RunTeacher(const Tensor& part);
  double CompareOutputs(double share, Pointers* gradients);
  double LossOfPart(const Tensor& part, double share, const Pointers& parameters,
                    std::map<ValueId, Tensor>* gradients);

  const Graph& student_graph_;
  const Graph& teacher_graph_;
  std::vector<ValueId> layer_outputs_;  // in the teacher
  DistillationTargets targets_;
  Weights weights_;
  int64_t fixed_batch_;
  UnitRunner student_;
  UnitRunner teacher_;
  std::vector<double> variances_;  // of targets_.blocks
  std::vector<std::string> dropped_;
  Tensor part_;
  std::map<ValueId, Tensor> part_gradients_;    // of the parameters
  std::map<ValueId, Tensor> target_gradients_;  // of what is compared
  std::map<std::string, double> seconds_;
};

}  // namespace sparsify

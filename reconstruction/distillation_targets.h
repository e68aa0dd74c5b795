// Which activations of a student distillation compares with the teacher's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"

namespace sparsify {

/// The same activation of both networks.
struct Compared {
  std::string name;  // in the student
  ValueId student = kNoValue;
  ValueId teacher = kNoValue;
};

struct DistillationTargets {
  /// The networks' output; what its Softmax reads if it ends with one.
  Compared logits;
  /// The outputs of all blocks (UnitPattern::kBlock) before the network's own, and what the
  /// last layer reads: the features that the classifier sees.
  std::vector<Compared> blocks;
};

/// Both graphs hold the same nodes (value ids may differ), `layers` are the student's. Throws
/// Error when they do not, or when there is not one input and one output.
DistillationTargets FindTargets(const Graph& student, const Graph& teacher,
                                const std::vector<Layer>& layers);

/// "pool1 (LRN) has no gradient" for the first node between a layer's parameters and a target
/// that cannot be differentiated, or empty.
std::string FindObstacle(const Graph& student, const std::vector<Layer>& layers,
                         const DistillationTargets& targets);

/// Sums of an activation over images, for its variance.
class Spread {
 public:
  /// Adds N images, N×C×…; every call has the same C.
  void Add(const Tensor& activation);
  /// Adds the images of another sum.
  void Add(const Spread& other);
  /// Of all elements together; 0 where it is but rounding.
  double Variance() const;
  /// Standard deviation of each of the C channels.
  std::vector<double> ChannelDeviations() const;

 private:
  std::vector<double> sums_;     // a channel each
  std::vector<double> squares_;  // a channel each
  int64_t count_ = 0;            // elements of one channel
};

}  // namespace sparsify

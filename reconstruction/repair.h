// What every repair method is given and what it leaves: the contract between the methods
// (layer_repair.h, unit_repair.h, distill.h) and the run that calls them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "sparsity/data/dataset.h"
#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"
#include "sparsity/mask/mask.h"

namespace sparsify {

/// What happened to one unit (a layer or a block).
struct RepairedUnit {
  std::string name;
  /// Σ over outputs of E[(teacher − student)²] relative to Σ Var(teacher), with the dense weights
  /// masked and with the new ones.
  double loss_before = 0;
  double loss_after = 0;
  int64_t steps = 0;    // of an optimiser; 0 for a direct solution
  int64_t samples = 0;  // output positions (direct) or images (optimiser) used
  double seconds = 0;
  std::string remark;      // "stopped early: …", "damping raised to 0.1", or empty
  std::string unrepaired;  // why the unit keeps its weights, or empty
};

/// A pruned network to repair. The student holds the teacher's nodes; its masked weights are +0
/// and it is changed in place. Methods that choose masks themselves replace them.
struct RepairTask {
  Graph& student;
  const Graph& teacher;
  std::map<std::string, Mask>& masks;  // by the weight's value name
  const std::vector<Layer>& layers;    // the student's
  const Dataset& calibration;
  uint64_t seed = 0;
  std::string title = "repair";  // of progress lines and notes; empty: silent

  /// Units of work (layers, blocks) that `student` and `masks` already hold, finished by an
  /// earlier run; work goes on behind them with the same result.
  int64_t finished = 0;
  /// Called after each further unit with the number finished and what happened to those that this
  /// call finished; student and masks are then a state that a later run can start from. May be
  /// empty.
  std::function<void(int64_t finished, std::span<const RepairedUnit> units)> on_finished = {};
};

struct RepairResult {
  std::vector<RepairedUnit> units;
  /// Where the time went: phase ("forward", "statistics", "solve", …) → seconds of wall time.
  std::map<std::string, double> seconds;
};

/// Throws Error naming the first node in which the two graphs differ by type or name.
void CheckSameNodes(const Graph& student, const Graph& teacher);

}  // namespace sparsify

#include "sparsity/training/training_checks.h"

#include <algorithm>
#include <atomic>
#include <bit>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/graph/logits.h"
#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

void CheckPorts(const Graph& graph) {
  if (graph.inputs.size() == 1 && graph.outputs.size() == 1) return;
  FailUsage(graph.name,
            "has {} inputs and {} outputs; training needs one image input and one output of class "
            "scores",
            graph.inputs.size(), graph.outputs.size());
}

// The shape of the class scores for a batch.
Shape ScoresShape(const Graph& graph, const Dataset& data, int64_t batch) {
  CheckPorts(graph);
  const Shape& input = graph.inputs[0].shape;
  if (input.rank() > 0 && input[0] >= 0 && input[0] != batch) {
    FailUsage("training.batch", "{}, but {} fixes the batch size to {}; use {}", batch, graph.name,
              input[0], input[0]);
  }
  const std::vector<Shape> shapes = InferShapes(graph, batch, data.image_shape());
  const Shape scores = shapes[static_cast<size_t>(LogitsOf(graph))];
  if (scores.rank() < 2 || scores[0] != batch || scores[1] < 1 ||
      scores.NumElements() != batch * scores[1]) {
    FailUsage(graph.name, "gives {} for {} images; training needs one row of class scores each",
              scores.ToString(), batch);
  }
  return scores;
}

void CheckTeacher(const TrainingTask& task, const TrainingOptions& options, const Shape& scores) {
  if (task.teacher != nullptr && !options.distillation) {
    FailUsage("training.distillation", "is not set, but there is a teacher; set it");
  }
  if (task.teacher == nullptr && options.distillation) {
    FailUsage("training.distillation", "is set, but there is no teacher to learn from");
  }
  if (task.teacher == nullptr) return;
  const Shape taught = ScoresShape(*task.teacher, task.data, options.batch);
  if (taught == scores) return;
  FailUsage("training.distillation", "the teacher {} gives {}, the network {}", task.teacher->name,
            taught.ToString(), scores.ToString());
}

// The first activation that has no height and width and yet another shape, or the scores.
ValueId FirstChanged(const Graph& graph, const std::vector<Shape>& own,
                     const std::vector<Shape>& other) {
  for (const Node& node : graph.nodes()) {
    for (const ValueId id : node.outputs) {
      const auto i = static_cast<size_t>(id);
      if (id != kNoValue && own[i].rank() < 4 && own[i] != other[i]) return id;
    }
  }
  return graph.outputs[0].value;
}

void NotePrecision(const TrainingTask& task, const TrainingOptions& options) {
  if (options.LayerPrecision() != Precision::kBf16) return;
  const std::vector<Shape> shapes = InferShapes(task.graph, options.batch, task.data.image_shape());
  Note("{}: {}", task.graph.name, CountBf16Layers(task.graph, task.layers, shapes));
}

// Where ranks take parts of a batch, networks must take any number of images.
void CheckRanks(const TrainingTask& task, const TrainingOptions& options) {
  if (task.ranks == nullptr || task.ranks->Size() == 1) return;
  for (const Graph* graph : {static_cast<const Graph*>(&task.graph), task.teacher}) {
    if (graph == nullptr || graph->inputs[0].shape[0] < 0) continue;
    FailUsage(graph->name,
              "fixes the batch size to {}, but each of {} ranks computes a part of a batch; export "
              "it with a free batch dimension, or train without mpirun",
              graph->inputs[0].shape[0], task.ranks->Size());
  }
  if (options.batch < task.ranks->Size() && task.ranks->IsFirst()) {
    Warn("training.batch: {} images for {} ranks; some have nothing to do", options.batch,
         task.ranks->Size());
  }
}

}  // namespace

void CheckTraining(const TrainingTask& task, const TrainingOptions& options) {
  if (task.steps < 1) FailUsage("training", "{} steps, expected at least 1", task.steps);
  options.Check();
  if (task.data.size() < 1) Fail("data.training", "holds no images");
  if (task.rule != nullptr && task.sparsity.size() != task.layers.size()) {
    Fail("training", "{} sparsities given for {} layers", task.sparsity.size(), task.layers.size());
  }
  CheckPrecision(options.LayerPrecision(), "training.precision");
  const Shape scores = ScoresShape(task.graph, task.data, options.batch);
  CheckTeacher(task, options, scores);
  CheckRanks(task, options);
  if (task.ranks != nullptr && !task.ranks->IsFirst()) return;  // one says it
  if (LogitsOf(task.graph) != task.graph.outputs[0].value) {
    Note("{}: training leaves out the Softmax at the end; the loss has its own", task.graph.name);
  }
  NotePrecision(task, options);
  if (options.warm_up >= task.steps) {
    Warn("training.warm_up: {} steps, but the run has {}; the learning rate rises to its last step",
         options.warm_up, task.steps);
  }
}

void CheckResolution(const Graph& graph, const Shape& image) {
  CheckPorts(graph);
  constexpr const char* kKey = "training.resolution";
  constexpr const char* kRemedy = "leave the key out, or use a network that ends in global pooling";
  const int64_t batch = std::max<int64_t>(1, graph.inputs[0].shape[0]);
  const std::vector<Shape> own = InferShapes(graph, batch);
  std::vector<Shape> other;
  try {
    other = InferShapes(graph, batch, image);
  } catch (const Error& error) {
    FailUsage(kKey, "{} does not take images of {}×{}: {}; {}", graph.name, image[1], image[2],
              error.what(), kRemedy);
  }
  const auto scores = static_cast<size_t>(graph.outputs[0].value);
  if (own[scores] == other[scores]) return;
  const ValueId changed = FirstChanged(graph, own, other);
  const auto i = static_cast<size_t>(changed);
  FailUsage(kKey, "{} does not take images of {}×{}: node \"{}\" gives {} then instead of {}; {}",
            graph.name, image[1], image[2], graph.node(graph.Producer(changed)).name,
            other[i].ToString(), own[i].ToString(), kRemedy);
}

bool AllFinite(const Tensor& tensor) {
  constexpr int64_t kChunk = 1 << 14;
  constexpr uint32_t kExponent = 0x7F800000;  // all ones: NaN or infinite
  std::atomic<bool> finite = true;
  ParallelFor((tensor.size() + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const int64_t end = std::min(tensor.size(), (chunk + 1) * kChunk);
    uint32_t bad = 0;
    for (int64_t i = chunk * kChunk; i < end; ++i) {
      bad |= static_cast<uint32_t>((std::bit_cast<uint32_t>(tensor[i]) & kExponent) == kExponent);
    }
    if (bad != 0) finite = false;
  });
  return finite;
}

}  // namespace sparsify

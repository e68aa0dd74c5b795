#include "sparsity/executor/lower.h"

#include <algorithm>
#include <map>
#include <utility>

namespace sparsify {
namespace {

class Lowering {
 public:
  Lowering(const FusedGraph& graph, const KernelFactory& make_kernel,
           const ReorderFactory& make_reorder)
      : graph_(graph), make_kernel_(make_kernel), make_reorder_(make_reorder) {
    instances_.resize(graph.shapes.size());
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      const ValueId id = graph.inputs[i];
      const int buffer = NewBuffer(LayoutBytes(PlainLayout(), ShapeOf(id)));
      lowered_.buffers[static_cast<size_t>(buffer)].input = static_cast<int>(i);
      InstancesOf(id).push_back({PlainLayout(), buffer});
    }
    for (size_t s = 0; s < graph.steps.size(); ++s) {
      for (ValueId id : graph.steps[s].Operands()) last_reader_[id] = static_cast<int>(s);
    }
  }

  Lowered Run() {
    for (size_t s = 0; s < graph_.steps.size(); ++s) AddStep(s);
    for (size_t i = 0; i < graph_.outputs.size(); ++i) AddOutput(static_cast<int>(i));
    return std::move(lowered_);
  }

 private:
  /// A value as it exists in one layout.
  struct Instance {
    Layout layout;
    int buffer;
  };

  const Shape& ShapeOf(ValueId id) const { return graph_.shapes[static_cast<size_t>(id)]; }
  std::vector<Instance>& InstancesOf(ValueId id) { return instances_[static_cast<size_t>(id)]; }
  LoweredBuffer& Buffer(int index) { return lowered_.buffers[static_cast<size_t>(index)]; }
  int NextCall() const { return static_cast<int>(lowered_.calls.size()); }

  int NewBuffer(int64_t bytes) {
    LoweredBuffer buffer;
    buffer.bytes = bytes;
    buffer.first = buffer.last = NextCall();
    lowered_.buffers.push_back(buffer);
    return static_cast<int>(lowered_.buffers.size()) - 1;
  }

  void AddCall(LoweredCall call) {
    for (const auto* list : {&call.inputs, &call.outputs}) {
      for (int buffer : *list) Buffer(buffer).last = std::max(Buffer(buffer).last, NextCall());
    }
    lowered_.calls.push_back(std::move(call));
  }

  void AddReorder(ValueId id, const Instance& from, const Instance& to) {
    LoweredCall call;
    call.kernel = make_reorder_(ShapeOf(id), from.layout, to.layout);
    call.value = id;
    call.inputs = {from.buffer};
    call.outputs = {to.buffer};
    AddCall(std::move(call));
  }

  /// The buffer that holds `id` in `layout`; adds a reorder when none does.
  int Fetch(ValueId id, const Layout& layout) {
    std::vector<Instance>& instances = InstancesOf(id);
    for (const Instance& instance : instances) {
      if (instance.layout == layout) return instance.buffer;
    }
    const Instance made = {layout, NewBuffer(LayoutBytes(layout, ShapeOf(id)))};
    AddReorder(id, instances.front(), made);
    instances.push_back(made);
    return made.buffer;
  }

  void AddStep(size_t s) {
    const FusedStep& step = graph_.steps[s];
    const std::vector<ValueId> operands = step.Operands();
    std::vector<Layout> available;
    for (ValueId id : operands) available.push_back(InstancesOf(id).front().layout);
    LoweredCall call;
    call.kernel = make_kernel_(s, available);
    call.step = static_cast<int>(s);
    const KernelInfo& info = call.kernel->info();
    for (size_t i = 0; i < operands.size(); ++i) {
      call.inputs.push_back(Fetch(operands[i], info.inputs[i]));
    }
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      const int buffer = i == 0 && info.shared_input >= 0
                             ? SharedOutput(static_cast<int>(s), call)
                             : NewBuffer(LayoutBytes(info.outputs[i], ShapeOf(step.outputs[i])));
      call.outputs.push_back(buffer);
      InstancesOf(step.outputs[i]).push_back({info.outputs[i], buffer});
    }
    AddCall(std::move(call));
  }

  /// The buffer of output 0 of a kernel that works in place: its operand's when nobody reads
  /// that any more, else a new one, with a copy of the operand where the kernel insists.
  int SharedOutput(int s, LoweredCall& call) {
    const FusedStep& step = graph_.steps[static_cast<size_t>(s)];
    const KernelInfo& info = call.kernel->info();
    const auto shared = static_cast<size_t>(info.shared_input);
    const ValueId id = step.Operands()[shared];
    const int64_t bytes = LayoutBytes(info.outputs[0], ShapeOf(step.outputs[0]));
    int& operand = call.inputs[shared];
    if (MayOverwrite(id, s) && !Buffer(operand).is_external() && Buffer(operand).bytes == bytes &&
        std::count(call.inputs.begin(), call.inputs.end(), operand) == 1) {
      return operand;
    }
    const int made = NewBuffer(bytes);
    if (info.must_share) {
      AddReorder(id, {info.inputs[shared], operand}, {info.inputs[shared], made});
      operand = made;
    }
    return made;
  }

  bool MayOverwrite(ValueId id, int step) const {
    const bool is_output =
        std::find(graph_.outputs.begin(), graph_.outputs.end(), id) != graph_.outputs.end();
    return last_reader_.at(id) == step && !is_output;
  }

  void AddOutput(int index) {
    const ValueId id = graph_.outputs[static_cast<size_t>(index)];
    const int64_t bytes = LayoutBytes(PlainLayout(), ShapeOf(id));
    for (const Instance& instance : InstancesOf(id)) {
      LoweredBuffer& buffer = Buffer(instance.buffer);
      if (instance.layout == PlainLayout() && !buffer.is_external() && buffer.bytes == bytes) {
        buffer.output = index;
        return;
      }
    }
    const Instance made = {PlainLayout(), NewBuffer(bytes)};
    AddReorder(id, InstancesOf(id).front(), made);
    Buffer(made.buffer).output = index;
  }

  const FusedGraph& graph_;
  const KernelFactory& make_kernel_;
  const ReorderFactory& make_reorder_;
  Lowered lowered_;
  std::vector<std::vector<Instance>> instances_;  // by ValueId
  std::map<ValueId, int> last_reader_;            // step
};

}  // namespace

Lowered Lower(const FusedGraph& graph, const KernelFactory& make_kernel,
              const ReorderFactory& make_reorder) {
  return Lowering(graph, make_kernel, make_reorder).Run();
}

}  // namespace sparsify

#include "reconstruction/repair.h"

#include "sparsity/base/error.h"

namespace sparsify {

void CheckSameNodes(const Graph& student, const Graph& teacher) {
  const size_t count = student.nodes().size();
  if (teacher.nodes().size() != count) {
    Fail(student.name, "{} nodes, the dense network has {}", count, teacher.nodes().size());
  }
  for (size_t i = 0; i < count; ++i) {
    const Node& a = student.nodes()[i];
    const Node& b = teacher.nodes()[i];
    if (a.type == b.type && a.name == b.name) continue;
    Fail(student.name, "node {} is {} \"{}\", in the dense network {} \"{}\"", i, OpName(a.type),
         a.name, OpName(b.type), b.name);
  }
}

}  // namespace sparsify

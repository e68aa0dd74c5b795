#include "sparsity/executor/layout.h"

#include <fmt/format.h>

#include "sparsity/executor/simplify.h"

namespace sparsify {

bool Layout::operator==(const Layout& other) const {
  return kind == other.kind && lanes == other.lanes && halo == other.halo &&
         (kind != LayoutKind::kBlocked || format == other.format);
}

std::string Layout::ToString() const {
  switch (kind) {
    case LayoutKind::kPlain:
      return "plain";
    case LayoutKind::kBlocked:
      return "blocked";
    case LayoutKind::kLanes:
      return fmt::format("lanes{}+{}", lanes, halo);
  }
  return "";
}

Layout PlainLayout() { return {}; }

Layout LanesLayout(int lanes, int halo) {
  Layout layout;
  layout.kind = LayoutKind::kLanes;
  layout.lanes = lanes;
  layout.halo = halo;
  return layout;
}

int LanesForBatch(int64_t batch) {
  if (batch % 16 == 0) return 16;
  return batch % 8 == 0 ? 8 : 1;
}

int64_t LayoutBytes(const Layout& layout, const Shape& shape) {
  constexpr int64_t kFloat = sizeof(float);
  switch (layout.kind) {
    case LayoutKind::kPlain:
      return shape.NumElements() * kFloat;
    case LayoutKind::kBlocked:
      return static_cast<int64_t>(layout.format.get_size());
    case LayoutKind::kLanes: {
      const Shape s = PixelShape(shape);
      return s[0] * s[1] * (s[2] + 2 * layout.halo) * (s[3] + 2 * layout.halo) * kFloat;
    }
  }
  return 0;
}

}  // namespace sparsify

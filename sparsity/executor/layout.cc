#include "sparsity/executor/layout.h"

#include <fmt/format.h>

#include <utility>

#include "sparsity/executor/onednn_engine.h"
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

std::string LayoutKey(const Layout& layout, const Shape& shape) {
  using Tag = dnnl::memory::format_tag;
  if (layout.kind != LayoutKind::kBlocked) return layout.ToString();
  const std::pair<Tag, const char*> names[] = {{Tag::nhwc, "nhwc"},
                                               {Tag::nChw16c, "nChw16c"},
                                               {Tag::nChw8c, "nChw8c"},
                                               {Tag::nChw4c, "nChw4c"}};
  for (const auto& [tag, name] : names) {
    if (layout.format == onednn::Describe(shape, tag)) return name;
  }
  return fmt::format("blocked {} bytes", layout.format.get_size());
}

LaneShape LaneShapeOf(const Shape& shape, const Layout& layout) {
  const Shape pixels = PixelShape(shape);
  LaneShape lanes;
  lanes.batch = pixels[0];
  lanes.channels = pixels[1];
  lanes.height = pixels[2];
  lanes.width = pixels[3];
  lanes.lanes = layout.lanes;
  lanes.halo = layout.halo;
  return lanes;
}

int64_t LayoutBytes(const Layout& layout, const Shape& shape) {
  constexpr int64_t kFloat = sizeof(float);
  switch (layout.kind) {
    case LayoutKind::kPlain:
      return shape.NumElements() * kFloat;
    case LayoutKind::kBlocked:
      return static_cast<int64_t>(layout.format.get_size());
    case LayoutKind::kLanes:
      return LaneShapeOf(shape, layout).size() * kFloat;
  }
  return 0;
}

}  // namespace sparsify

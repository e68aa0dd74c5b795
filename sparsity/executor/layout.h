// How an activation lies in memory: row-major, in a block format of oneDNN's choosing, or
// with images side by side in vector lanes.
#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <string>

#include "sparsity/executor/kernels/lane_tensor.h"
#include "sparsity/tensor/shape.h"

namespace sparsify {

enum class LayoutKind {
  kPlain,    // row-major (NCHW)
  kBlocked,  // what `format` describes
  kLanes,    // kernels/lane_tensor.h: vector lanes are images
};

struct Layout {
  LayoutKind kind = LayoutKind::kPlain;
  dnnl::memory::desc format;  // kBlocked only
  int lanes = 0;              // kLanes only; divides the batch
  int halo = 0;               // kLanes only

  bool operator==(const Layout& other) const;
  /// "plain", "blocked", "lanes16+1"
  std::string ToString() const;
};

Layout PlainLayout();
Layout LanesLayout(int lanes, int halo);

/// 16 when it divides the batch, else 8, else 1.
int LanesForBatch(int64_t batch);

/// The lane tensor of a value of this shape.
LaneShape LaneShapeOf(const Shape& shape, const Layout& layout);

/// Tells formats of a value of this shape apart: equal layouts have equal keys.
std::string LayoutKey(const Layout& layout, const Shape& shape);

/// Memory that a value of this shape takes, in bytes, without alignment.
int64_t LayoutBytes(const Layout& layout, const Shape& shape);

}  // namespace sparsify

#include "sparsity/ops/channel_blocks.h"

#include "sparsity/base/error.h"
#include "sparsity/ops/node_check.h"
#include "sparsity/ops/onednn_primitive.h"

namespace sparsify {
namespace {

using plain_onednn::Floats;
using plain_onednn::Tag;

void Reorder(const Tensor& from, Tag from_tag, Tensor& to, Tag to_tag) {
  const Shape& shape = from.shape();
  if (shape.rank() < 2 || shape[1] % kChannelBlock != 0) {
    Fail("channel blocks", "{} has no multiple of {} channels", shape.ToString(), kChannelBlock);
  }
  to.Resize(shape);
  const plain_onednn::Dims dims = {shape[0], shape[1], ProductOf(shape, 2, shape.rank()), 1};
  const dnnl::engine& engine = plain_onednn::Engine();
  dnnl::memory source(Floats(dims, from_tag), engine, const_cast<float*>(from.data()));
  dnnl::memory target(Floats(dims, to_tag), engine, to.data());
  dnnl::stream stream(engine);
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
}

}  // namespace

void ToChannelBlocks(const Tensor& plain, Tensor& to) {
  Reorder(plain, Tag::nchw, to, Tag::aBcd16b);
}

void FromChannelBlocks(const Tensor& blocked, Tensor& to) {
  Reorder(blocked, Tag::aBcd16b, to, Tag::nchw);
}

}  // namespace sparsify

#include "reconstruction/activation_store.h"

#include <algorithm>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"

namespace sparsify {

ImageBlocks ImageBlocks::Make(int64_t count, int64_t held, int64_t batch) {
  ImageBlocks blocks;
  const auto append = [&](int64_t end) {
    while (blocks.begins.back() < end) {
      blocks.begins.push_back(std::min(end, blocks.begins.back() + batch));
    }
  };
  append(held);
  blocks.held_blocks = blocks.count();
  append(count);
  return blocks;
}

int64_t ImageBlocks::BlockOf(int64_t image) const {
  return std::upper_bound(begins.begin(), begins.end(), image) - begins.begin() - 1;
}

bool MemoryBudget::Take(int64_t bytes) {
  if (used_ + bytes > limit_) return false;
  used_ += bytes;
  return true;
}

ActivationStore::ActivationStore(const ImageBlocks& blocks, Shape row, MemoryBudget& budget,
                                 const std::string& scratch_directory)
    : blocks_(blocks),
      row_(std::move(row)),
      row_size_(row_.NumElements()),
      budget_(budget),
      kept_(static_cast<size_t>(blocks.count())),
      file_(scratch_directory) {}

ActivationStore::~ActivationStore() {
  for (int64_t k = 0; k < std::ssize(kept_); ++k) Drop(k);
}

Shape ActivationStore::RowsShape(int64_t count) const {
  std::vector<int64_t> dims = {count};
  dims.insert(dims.end(), row_.dims().begin(), row_.dims().end());
  return Shape(std::move(dims));
}

ActivationStore::Kept& ActivationStore::Open(int64_t k) {
  Kept& kept = kept_.at(static_cast<size_t>(k));
  if (kept.place != Place::kNowhere) return kept;
  const int64_t bytes = Bytes(blocks_.size(k));
  if (budget_.Take(bytes)) {
    kept.rows = Tensor::Uninitialized(RowsShape(blocks_.size(k)));
    kept.place = Place::kMemory;
  } else {
    file_.Reserve(Bytes(blocks_.begin(k)), bytes);
    kept.place = Place::kDisk;
  }
  return kept;
}

void ActivationStore::Write(int64_t first, const Tensor& rows) {
  const int64_t count = rows.size() / row_size_;
  const int64_t k = blocks_.BlockOf(first);
  if (rows.shape() != RowsShape(count) || k >= blocks_.count() ||
      first + count > blocks_.begin(k + 1)) {
    Fail("kept activations", "{} cannot be written at image {}", rows.shape().ToString(), first);
  }
  Kept& kept = Open(k);
  if (kept.place == Place::kMemory) {
    std::copy_n(rows.data(), rows.size(),
                kept.rows.data() + (first - blocks_.begin(k)) * row_size_);
  } else {
    file_.Write(Bytes(first), rows.data(), Bytes(count));
  }
}

void ActivationStore::ReadInto(int64_t first, int64_t count, float* to) const {
  const int64_t k = blocks_.BlockOf(first);
  const Kept& kept = kept_.at(static_cast<size_t>(k));
  if (kept.place == Place::kNowhere || first + count > blocks_.begin(k + 1)) {
    Fail("kept activations", "images {} to {} are not there", first, first + count - 1);
  }
  if (kept.place == Place::kMemory) {
    std::copy_n(kept.rows.data() + (first - blocks_.begin(k)) * row_size_, count * row_size_, to);
  } else {
    file_.Read(Bytes(first), to, Bytes(count));
  }
}

void ActivationStore::Read(int64_t first, int64_t count, Tensor& rows) const {
  rows.Resize(RowsShape(count));
  ReadInto(first, count, rows.data());
}

void ActivationStore::Gather(std::span<const int64_t> images, Tensor& rows) const {
  rows.Resize(RowsShape(std::ssize(images)));
  ParallelFor(std::ssize(images), [&](int64_t i) {
    ReadInto(images[static_cast<size_t>(i)], 1, rows.data() + i * row_size_);
  });
}

const Tensor& ActivationStore::Block(int64_t k, Tensor& buffer) const {
  const Kept& kept = kept_.at(static_cast<size_t>(k));
  if (kept.place == Place::kMemory) return kept.rows;
  Read(blocks_.begin(k), blocks_.size(k), buffer);
  return buffer;
}

void ActivationStore::Drop(int64_t k) {
  Kept& kept = kept_.at(static_cast<size_t>(k));
  const int64_t bytes = Bytes(blocks_.size(k));
  if (kept.place == Place::kMemory) budget_.Give(bytes);
  if (kept.place == Place::kDisk) file_.Release(Bytes(blocks_.begin(k)), bytes);
  kept = Kept();
}

int64_t ActivationStore::bytes_on_disk() const {
  int64_t bytes = 0;
  for (int64_t k = 0; k < blocks_.count(); ++k) {
    if (kept_[static_cast<size_t>(k)].place == Place::kDisk) bytes += Bytes(blocks_.size(k));
  }
  return bytes;
}

}  // namespace sparsify

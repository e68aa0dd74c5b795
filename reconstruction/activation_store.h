// Activations of every calibration image, kept block by block: in memory up to a budget that
// several stores share, the rest in a scratch file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "reconstruction/scratch_file.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// How the images are grouped: block k holds the images [begins[k], begins[k + 1]). The first
/// `held_blocks` blocks are those that are not trained on.
struct ImageBlocks {
  /// `count` images in blocks of at most `batch`, the first `held` of them in blocks of their
  /// own, held back.
  static ImageBlocks Make(int64_t count, int64_t held, int64_t batch);

  int64_t count() const { return std::ssize(begins) - 1; }
  int64_t images() const { return begins.back(); }
  int64_t held_images() const { return begins[static_cast<size_t>(held_blocks)]; }
  int64_t begin(int64_t k) const { return begins[static_cast<size_t>(k)]; }
  int64_t size(int64_t k) const { return begin(k + 1) - begin(k); }
  int64_t BlockOf(int64_t image) const;

  std::vector<int64_t> begins = {0};
  int64_t held_blocks = 0;
};

/// Bytes that the stores may keep in memory, all of them together.
class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t limit) : limit_(limit) {}

  /// False where it does not fit; nothing is taken then.
  bool Take(int64_t bytes);
  void Give(int64_t bytes) { used_ -= bytes; }
  /// Of what is taken from now on.
  void set_limit(int64_t limit) { limit_ = limit; }
  int64_t used() const { return used_; }

 private:
  int64_t limit_;
  int64_t used_ = 0;
};

class ActivationStore {
 public:
  /// For rows of shape `row` (without the batch dimension). Keeps references to `blocks` and
  /// `budget`. `scratch_directory` is ScratchFile's.
  ActivationStore(const ImageBlocks& blocks, Shape row, MemoryBudget& budget,
                  const std::string& scratch_directory = "");
  ~ActivationStore();
  ActivationStore(const ActivationStore&) = delete;
  ActivationStore& operator=(const ActivationStore&) = delete;

  /// Writes the rows of the images first, first + 1, …, all of one block. The first rows of a block
  /// decide where it lives.
  void Write(int64_t first, const Tensor& rows);
  /// Reads `count` rows of one block into `rows`, which is resized.
  void Read(int64_t first, int64_t count, Tensor& rows) const;
  /// Reads the rows of any images, in the order given.
  void Gather(std::span<const int64_t> images, Tensor& rows) const;
  /// All rows of block k: where it is kept in memory without a copy, else in `buffer`.
  const Tensor& Block(int64_t k, Tensor& buffer) const;
  /// Lets go of block k.
  void Drop(int64_t k);

  const Shape& row() const { return row_; }
  /// Bytes of the blocks that live in the scratch file.
  int64_t bytes_on_disk() const;

 private:
  enum class Place { kNowhere, kMemory, kDisk };
  struct Kept {
    Place place = Place::kNowhere;
    Tensor rows;
  };

  Shape RowsShape(int64_t count) const;
  int64_t Bytes(int64_t images) const { return images * row_size_ * 4; }
  Kept& Open(int64_t k);
  void ReadInto(int64_t first, int64_t count, float* to) const;

  const ImageBlocks& blocks_;
  const Shape row_;
  const int64_t row_size_;
  MemoryBudget& budget_;
  std::vector<Kept> kept_;
  ScratchFile file_;
};

}  // namespace sparsify

// Which calibration images distillation learns from, step by step, and which judge it.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/data/dataset.h"

namespace sparsify {

class DistillationBatches {
 public:
  static constexpr int64_t kMostHeldBack = 64;

  /// Which of `images` judge the polish: a tenth, at least one, at most kMostHeldBack, evenly
  /// spread, in multiples of `multiple`. A repair that comes before should not use them either:
  /// what it has fitted cannot judge. Throws Error when no image is left to learn from.
  static std::vector<int64_t> HeldBack(int64_t images, int64_t multiple);
  /// The others, ascending.
  static std::vector<int64_t> NotHeldBack(int64_t images, int64_t multiple);

  struct Options {
    int64_t batch = 32;
    bool augment = true;  // random views with at least `min_area` of the picture
    double min_area = 1;
    /// Each image x of a step becomes (1 − λ) x + λ x′ with x′ another one of it and λ uniform in
    /// [0, mixup) (Zhang et al., "mixup", ICLR 2018; without labels the teacher answers for the
    /// mixture, as Beyer et al., "Knowledge distillation: A good teacher is patient and
    /// consistent", CVPR 2022).
    double mixup = 0;
  };

  /// `multiple` is the networks' batch size if it is fixed, else 1: what is held back and what a
  /// step takes are multiples of it. Keeps a reference. Throws as HeldBack.
  DistillationBatches(const Dataset& calibration, const Options& options, int64_t multiple,
                      uint64_t seed);

  /// Indices into the calibration set.
  const std::vector<int64_t>& held_back() const { return held_back_; }
  const std::vector<int64_t>& training() const { return training_; }
  /// Images of a step: no more than there are to learn from, but for whole multiples.
  int64_t batch() const { return batch_; }

  /// The images of `step`: a new order of training() in every pass over it, random views and
  /// mixtures as the options say. Depends on the seed and the step alone. Broken images are absent.
  void Load(int64_t step, Batch& batch) const;
  /// The images held back, as evaluation sees them.
  void LoadHeldBack(Batch& batch) const;

 private:
  const Dataset& calibration_;
  Options options_;
  uint64_t seed_;
  std::vector<int64_t> held_back_;
  std::vector<int64_t> training_;
  int64_t batch_;
};

}  // namespace sparsify

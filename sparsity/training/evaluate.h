// Accuracy of a network on labelled images: top-1, top-5, agreement with the dense
// network, cross-entropy loss.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sparsity/data/dataset.h"

namespace sparsify {

/// Computes logits (N×K, trailing dimensions of 1 allowed) for images N×C×H×W, N up to the
/// batch size given to Evaluate.
using ForwardFunction = std::function<void(const Tensor& images, Tensor& logits)>;

struct Evaluation {
  double top1 = 0;  // percent
  /// Percent of images whose class is among the five largest logits; with fewer than five
  /// classes 100, which is said once (a note, when no reference is given).
  double top5 = 0;
  /// Percent of images with the same arg max as `reference`; 100 when none is given.
  double agreement = 100;
  double loss = 0;                   // mean cross-entropy, nats
  int64_t images = 0;                // evaluated; those skipped as broken are not among them
  int64_t skipped = 0;               // broken images left out (SampleSkipped)
  double seconds = 0;                // wall time, loading included
  std::vector<int64_t> predictions;  // arg max class per image, the network's numbering
};

struct EvaluateOptions {
  int64_t batch = 32;
  int64_t label_offset = 0;                         // network class = label + label_offset
  const std::vector<int64_t>* reference = nullptr;  // dense predictions, or none
  std::string progress = {};                        // title of the progress line; empty: silent
};

/// Of equal logits the lower class index ranks first. While one batch is computed the next
/// is loaded by another thread, if Threads() > 1. Throws Error on NaN or infinite logits,
/// a missing label or one outside the network's classes, naming the image; on a `reference`
/// of another length; when no image is left. Polls for Ctrl-C between batches.
Evaluation Evaluate(const Dataset& dataset, const ForwardFunction& forward,
                    const EvaluateOptions& options);

}  // namespace sparsify

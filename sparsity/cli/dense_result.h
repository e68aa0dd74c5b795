// The dense network's accuracy, kept in a run's folder: every level is compared with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/data/dataset.h"
#include "sparsity/report/csv.h"

namespace sparsify {

struct DenseResult {
  double top1 = 0;                   // percent
  std::vector<int64_t> predictions;  // arg max class by image
};

/// CSV "image,class", one row an image of `dataset`.
void WriteDensePredictions(const std::vector<int64_t>& predictions, const Dataset& dataset,
                           const std::string& path);

/// Predictions from such a file; top-1 from the first row of `accuracy` (accuracy.csv's
/// columns). Throws Error when the file is damaged or of other images.
DenseResult ReadDenseResult(const std::string& path, const CsvTable& accuracy,
                            const Dataset& dataset);

}  // namespace sparsify

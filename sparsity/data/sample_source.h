// Where labelled pictures come from: a folder, an IDX pair, an HDF5 file. What a network
// makes of them (size, colour, normalisation) is not known here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sparsity/data/image.h"

namespace sparsify {

class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual int64_t size() const = 0;
  /// Class of sample i as the source numbers it, −1 when it has no labels.
  virtual int64_t LabelOf(int64_t i) const = 0;
  /// Decodes sample i. Thread safe. Throws Error naming the file when it is broken.
  virtual Image Read(int64_t i) const = 0;
  virtual std::string NameOf(int64_t i) const = 0;
};

}  // namespace sparsify

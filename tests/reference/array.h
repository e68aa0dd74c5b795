// A tensor of the references: row-major, double precision, no code of the product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace reference {

using Dims = std::vector<int64_t>;

struct Array {
  Dims dims;
  std::vector<double> values;

  /// The element at an index with as many entries as there are dimensions.
  double& At(const Dims& index);
  double At(const Dims& index) const;
};

/// Zero-filled.
Array Zeros(const Dims& dims);

/// Calls body(index) for every index within `dims`, the last one fastest.
void ForEach(const Dims& dims, const std::function<void(const Dims&)>& body);

/// Element-wise function of one array.
Array Map(const Array& x, const std::function<double(double)>& f);
Array Abs(const Array& x);

}  // namespace reference

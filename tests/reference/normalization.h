// Batch normalisation, local response normalisation and softmax from their formulas.
#pragma once

#include "tests/reference/array.h"

namespace reference {

Array BatchNormalization(const Array& x, const Array& scale, const Array& bias, const Array& mean,
                         const Array& variance, double epsilon);

/// With the mean and the biased variance of x itself, per channel.
Array BatchNormalizationInTraining(const Array& x, const Array& scale, const Array& bias,
                                   double epsilon);

/// Σ over channels [c − floor((size−1)/2), c + ceil((size−1)/2)] (ONNX LRN).
Array Lrn(const Array& x, int64_t size, double alpha, double beta, double bias);

Array Softmax(const Array& x, size_t axis);

}  // namespace reference

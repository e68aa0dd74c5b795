// Element-wise functions: activations from their formulas and numpy broadcasting.
#pragma once

#include <functional>

#include "tests/reference/array.h"

namespace reference {

double Sigmoid(double x);
double HardSigmoid(double x, double alpha, double beta);
double HardSwish(double x);

/// f(a, b) with numpy broadcasting.
Array Broadcast(const Array& a, const Array& b, const std::function<double(double, double)>& f);

}  // namespace reference

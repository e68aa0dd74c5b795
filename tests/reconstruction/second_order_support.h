// Data and naive long double algebra for the tests of the second-order solvers. Shares no code
// with the product's solvers: sums over samples, Gauss-Jordan elimination, enumeration.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "reconstruction/second_order/column_sets.h"
#include "reconstruction/second_order/statistics.h"
#include "sparsity/base/random.h"
#include "sparsity/mask/mask.h"

namespace sparsify::second_order_test {

using Real = long double;
using Row = std::vector<Real>;
using Rows = std::vector<Row>;

inline size_t At(int64_t i) { return static_cast<size_t>(i); }

inline Tensor RandomTensor(const Shape& shape, uint64_t seed, double mean = 0) {
  Tensor tensor(shape);
  Random random(seed);
  for (float& v : tensor.values()) v = static_cast<float>(random.Normal() + mean);
  return tensor;
}

inline Node LinearNode() {
  Node node;
  node.name = "fc";
  node.type = OpType::kGemm;
  return node;
}

inline Layer LinearLayer(int64_t rows, int64_t columns) {
  Layer layer;
  layer.name = "fc";
  layer.is_linear = true;
  layer.weight_shape = {rows, columns};
  return layer;
}

inline PrunePattern Nm(int64_t n, int64_t m) {
  PrunePattern pattern;
  pattern.kind = PruneKind::kNM;
  pattern.n = n;
  pattern.m = m;
  return pattern;
}

inline PrunePattern Block(int64_t outputs, int64_t inputs) {
  PrunePattern pattern;
  pattern.kind = PruneKind::kBlock;
  pattern.block_outputs = outputs;
  pattern.block_inputs = inputs;
  return pattern;
}

/// Of a depthwise 3×3 convolution "dw", padding 1; inputs and targets are [n, channels, h, w].
inline LayerStatistics DepthwiseStatistics(const Tensor& inputs, const Tensor& targets) {
  const int64_t channels = inputs.shape()[1];
  Node node;
  node.name = "dw";
  node.type = OpType::kConv;
  node.attributes.Set("group", channels);
  node.attributes.Set("pads", std::vector<int64_t>{1, 1, 1, 1});
  Layer layer;
  layer.name = "dw";
  layer.groups = channels;
  layer.weight_shape = {channels, 1, 3, 3};
  LayerStatistics statistics(node, layer);
  statistics.Add(inputs, targets);
  return statistics;
}

/// A fully connected layer with correlated inputs that have large means, and noisy targets.
struct LinearCase {
  LinearCase(int64_t rows, int64_t columns, int64_t samples, uint64_t seed, bool mixed = true)
      : weight(RandomTensor({rows, columns}, seed)),
        inputs(RandomTensor({samples, columns}, seed + 1)),
        targets(RandomTensor({samples, rows}, seed + 2)),
        statistics(LinearNode(), LinearLayer(rows, columns)) {
    for (int64_t n = 0; n < samples; ++n) {
      for (int64_t c = 0; mixed && c < columns; ++c) {
        const float left = c > 0 ? inputs[n * columns + c - 1] : 0.0F;
        inputs[n * columns + c] += 0.7F * left + (n == 0 ? 0.0F : 0.1F) + static_cast<float>(c % 3);
      }
      for (int64_t r = 0; r < rows; ++r) {
        float y = 0.3F * targets[n * rows + r] + 2.0F;
        for (int64_t c = 0; c < columns; ++c)
          y += weight[r * columns + c] * inputs[n * columns + c];
        targets[n * rows + r] = y;
      }
    }
    statistics.Add(inputs, targets);
  }

  Tensor weight, inputs, targets;
  LayerStatistics statistics;
};

struct NaiveMoments {
  Rows covariance, cross;
  Row input_mean, target_mean, target_variance;
};

/// Two-pass moments of samples given as rows of x and y.
inline NaiveMoments MomentsOf(const Rows& x, const Rows& y) {
  const auto mean = [](const Rows& rows) {
    Row m(rows[0].size(), 0);
    for (const Row& row : rows) {
      for (size_t i = 0; i < row.size(); ++i) m[i] += row[i] / static_cast<Real>(rows.size());
    }
    return m;
  };
  NaiveMoments m;
  m.input_mean = mean(x);
  m.target_mean = mean(y);
  const size_t c = x[0].size();
  const size_t r = y[0].size();
  const auto n = static_cast<Real>(x.size());
  m.covariance.assign(c, Row(c, 0));
  m.cross.assign(r, Row(c, 0));
  m.target_variance.assign(r, 0);
  for (size_t s = 0; s < x.size(); ++s) {
    for (size_t i = 0; i < c; ++i) {
      for (size_t j = 0; j < c; ++j) {
        m.covariance[i][j] += (x[s][i] - m.input_mean[i]) * (x[s][j] - m.input_mean[j]) / n;
      }
    }
    for (size_t i = 0; i < r; ++i) {
      const Real dy = y[s][i] - m.target_mean[i];
      m.target_variance[i] += dy * dy / n;
      for (size_t j = 0; j < c; ++j) m.cross[i][j] += dy * (x[s][j] - m.input_mean[j]) / n;
    }
  }
  return m;
}

inline Rows RowsOf(const Tensor& t) {
  Rows rows(At(t.shape()[0]), Row(At(t.shape()[1])));
  for (int64_t i = 0; i < t.size(); ++i) rows[At(i / t.shape()[1])][At(i % t.shape()[1])] = t[i];
  return rows;
}

/// Gauss-Jordan with partial pivoting: the solution of a·x = b.
inline Row Solve(Rows a, Row b) {
  const size_t n = b.size();
  for (size_t k = 0; k < n; ++k) {
    size_t pivot = k;
    for (size_t i = k; i < n; ++i) {
      if (std::abs(a[i][k]) > std::abs(a[pivot][k])) pivot = i;
    }
    std::swap(a[k], a[pivot]);
    std::swap(b[k], b[pivot]);
    for (size_t i = 0; i < n; ++i) {
      if (i == k) continue;
      const Real f = a[i][k] / a[k][k];
      for (size_t j = k; j < n; ++j) a[i][j] -= f * a[k][j];
      b[i] -= f * b[k];
    }
  }
  for (size_t i = 0; i < n; ++i) b[i] /= a[i][i];
  return b;
}

/// One row's problem: H (damped) and t, from naive moments and the given weights.
struct NaiveRow {
  Rows h;
  Row t;
  Real constant = 0;  // Var(y) + λ|v|²

  /// Minimiser over the support, zero elsewhere.
  Row Best(const std::vector<bool>& keep) const {
    std::vector<size_t> support;
    for (size_t i = 0; i < keep.size(); ++i) {
      if (keep[i]) support.push_back(i);
    }
    Rows a(support.size(), Row(support.size()));
    Row b(support.size());
    for (size_t i = 0; i < support.size(); ++i) {
      b[i] = t[support[i]];
      for (size_t j = 0; j < support.size(); ++j) a[i][j] = h[support[i]][support[j]];
    }
    const Row x = Solve(a, b);
    Row w(keep.size(), 0);
    for (size_t i = 0; i < support.size(); ++i) w[support[i]] = x[i];
    return w;
  }

  Real Loss(const Row& w) const {
    Real loss = constant;
    for (size_t i = 0; i < w.size(); ++i) {
      loss -= 2 * t[i] * w[i];
      for (size_t j = 0; j < w.size(); ++j) loss += w[i] * h[i][j] * w[j];
    }
    return loss;
  }
};

inline NaiveRow RowProblem(const LinearCase& data, int64_t row, double damping) {
  const NaiveMoments m = MomentsOf(RowsOf(data.inputs), RowsOf(data.targets));
  const size_t c = m.input_mean.size();
  NaiveRow problem{m.covariance, m.cross[At(row)], m.target_variance[At(row)]};
  Real lambda = 0;
  for (size_t i = 0; i < c; ++i) lambda += damping * m.covariance[i][i] / static_cast<Real>(c);
  for (size_t i = 0; i < c; ++i) {
    const Real v = data.weight[row * static_cast<int64_t>(c) + static_cast<int64_t>(i)];
    problem.h[i][i] += lambda;
    problem.t[i] += lambda * v;
    problem.constant += lambda * v * v;
  }
  return problem;
}

inline std::vector<bool> RowOfMask(const Mask& mask, int64_t row) {
  const int64_t columns = mask.size() / mask.shape()[0];
  std::vector<bool> keep;
  for (int64_t c = 0; c < columns; ++c) keep.push_back(mask[row * columns + c]);
  return keep;
}

inline Mask RandomMask(const Shape& shape, double sparsity, uint64_t seed) {
  Mask mask(shape);
  Random random(seed);
  for (int64_t i = 0; i < mask.size(); ++i) mask.Set(i, random.Uniform() >= sparsity);
  return mask;
}

/// The message of the Error that `body` throws, or "".
template <class Body>
std::string MessageOf(const Body& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace sparsify::second_order_test

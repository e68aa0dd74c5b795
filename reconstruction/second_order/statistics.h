// First and second moments of a layer's input columns and target outputs, gathered batch by
// batch in bounded memory: all that the second-order solvers look at.
//
// A convolution is seen as a matrix product: each output position of each image is one sample,
// whose column x holds the inputs under the window (zero in the padding), in the weight's
// row-major order (input channel, kh, kw). Inputs come from the network being repaired,
// targets from its teacher. The im2col columns exist only a slab at a time. Products of a
// slab are taken in float after a shift by the first slab's means, and added up in double, so
// that large means do not eat the precision of the covariances.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "reconstruction/second_order/linear_algebra.h"
#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

struct StatisticsOptions {
  /// Output positions used of each image, drawn at random by (seed, image); 0 takes all.
  int64_t max_positions = 0;
  uint64_t seed = 0;
  /// Of these, so many of each image are kept as samples, evenly spread; 0 keeps none.
  int64_t kept_positions = 0;
  /// Adds up every eighth image apart from the others, for Part().
  bool hold_back = false;
  /// Memory for one slab of columns and targets; several threads have one each.
  int64_t slab_bytes = int64_t{32} << 20;
};

/// Moments of one group of a layer: `columns` inputs, `rows` outputs.
struct Moments {
  Matrix covariance;        // columns×columns: E[(x−x̄)(x−x̄)ᵀ]
  Matrix cross_covariance;  // rows×columns:    E[(y−ȳ)(x−x̄)ᵀ]
  Vector input_mean;        // x̄
  Vector target_mean;       // ȳ
  Vector target_variance;   // E[(y−ȳ)²] of each row
};

/// Samples of one group, one a column.
struct SampleBlock {
  int64_t count = 0;
  std::vector<float> inputs;   // columns×count
  std::vector<float> targets;  // rows×count
};

struct LayerSamples {
  std::vector<SampleBlock> fit;
  std::vector<SampleBlock> held_back;  // of every eighth image
};

enum class ImagePart { kFitted, kHeldBack };  // seven of eight images, and the eighth

class LayerStatistics {
 public:
  /// `node` is the layer's Conv, Gemm or MatMul. Throws Error naming the layer when it is not,
  /// or when a Gemm scales (alpha, beta) or transposes its input.
  LayerStatistics(const Node& node, const Layer& layer, const StatisticsOptions& options = {});

  /// Adds a batch: inputs N×I×H×W (or …×I), targets N×O×OH×OW (or …×O) of the same images.
  /// Throws Error naming the layer on shapes that do not fit or on a NaN or infinity; the sums
  /// are then unchanged.
  void Add(const Tensor& inputs, const Tensor& targets);

  /// Moments of a group. Throws Error naming the layer before the first sample.
  Moments GroupMoments(int64_t group) const;

  /// The sums of one part of the images alone, for `rows` of each group's outputs (ascending);
  /// keeps no samples. Throws Error naming the layer when the part has no image, as the one held
  /// back never has without StatisticsOptions::hold_back.
  LayerStatistics Part(ImagePart part, const std::vector<int64_t>& rows) const;

  /// What StatisticsOptions::kept_positions asked for, of a group.
  const LayerSamples& Samples(int64_t group) const;

  const std::string& layer_name() const { return layer_.name; }
  const Shape& weight_shape() const { return layer_.weight_shape; }
  int64_t groups() const { return groups_; }
  int64_t rows() const { return rows_; }        // outputs of a group
  int64_t columns() const { return columns_; }  // inputs of a group × taps
  int64_t taps() const { return taps_; }
  /// Samples (output positions) used (those of a part: without the other), and seen.
  int64_t count() const { return counts_[0] + counts_[1]; }
  int64_t count(ImagePart part) const { return counts_.at(static_cast<size_t>(part)); }
  int64_t seen() const { return seen_; }
  /// Bytes of the sums, for planning memory: groups · columns · (columns + rows) doubles, for each
  /// part.
  int64_t Bytes() const;

 private:
  struct Sums {
    Matrix gram;   // columns×columns of shifted inputs, lower triangle
    Matrix cross;  // rows×columns
    Vector input, target, target_square;
  };
  // Of the inputs, then the targets: the first slab's means.
  using Shift = Eigen::VectorXf;
  // Columns and targets of a slab, and their products.
  struct Scratch {
    std::vector<float> slab, product;
  };
  struct Batch;

  Batch View(const Tensor& inputs, const Tensor& targets) const;
  Sums EmptySums() const;
  void ChoosePositions(std::array<Batch, 2>& parts) const;
  void AddGroup(const Batch& batch, size_t part, int64_t group, Scratch& scratch);
  void KeepSamples(const Batch& batch, const float* slab, int64_t first, int64_t samples,
                   LayerSamples& kept) const;
  void FillColumn(const Batch& batch, int64_t group, int64_t column, int64_t first, int64_t samples,
                  float* row) const;
  void FillTarget(const Batch& batch, int64_t channel, int64_t first, int64_t samples,
                  float* row) const;
  void AddSlab(Sums& sums, Shift& shift, float* slab, int64_t samples,
               std::vector<float>& product) const;

  Node node_;
  Layer layer_;
  StatisticsOptions options_;
  int64_t groups_, rows_, columns_, taps_;
  int64_t images_ = 0, seen_ = 0;
  std::array<int64_t, 2> counts_ = {0, 0};  // of each part
  std::array<std::vector<Sums>, 2> sums_;   // of each part and group; the second may be empty
  std::vector<Shift> shifts_;               // of each group, as are the samples
  std::vector<LayerSamples> samples_;
  Scratch scratch_;  // of a layer of one group, kept between batches
};

}  // namespace sparsify

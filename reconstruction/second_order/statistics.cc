#include "reconstruction/second_order/statistics.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/base/random.h"
#include "sparsity/ops/conv.h"

namespace sparsify {

// A batch as images × channels × positions, with the samples taken from it.
struct LayerStatistics::Batch {
  const float* inputs = nullptr;
  const float* targets = nullptr;
  int64_t images = 0, in_channels = 0, out_channels = 0;
  int64_t in_plane = 1, out_plane = 1;
  Window window;  // of one position for a fully connected layer
  // Of each sample: where its window starts in the inputs, and its place in the targets.
  std::vector<int64_t> image, position, top, left;
  // Samples that are kept, ascending; the second kind is held back.
  std::array<std::vector<int64_t>, 2> kept;

  void Take(int64_t n, int64_t at) {
    const WindowAxis& h = window.height;
    const WindowAxis& w = window.width;
    image.push_back(n);
    position.push_back(at);
    top.push_back(at / w.output * h.stride - h.pad_begin);
    left.push_back(at % w.output * w.stride - w.pad_begin);
  }
};

namespace {

// Of each so many images one is held back from the samples.
constexpr int64_t kHeldBackEvery = 8;

void CheckLinear(const Node& node, const std::string& layer) {
  const Attributes& a = node.attributes;
  if (a.Float("alpha", 1) != 1 || a.Float("beta", 1) != 1 || a.Int("transA", 0) != 0) {
    Fail(layer, "second-order statistics need alpha = beta = 1 and transA = 0; got {}, {}, {}",
         a.Float("alpha", 1), a.Float("beta", 1), a.Int("transA", 0));
  }
}

void CheckFinite(const Tensor& tensor, const std::string& layer, const char* what) {
  const int64_t bad = FirstNonFinite(tensor);
  if (bad < 0) return;
  Fail(layer, "calibration {} of shape {} hold {} at flat index {}; check the images and the model",
       what, tensor.shape().ToString(), tensor[bad], bad);
}

double SumOf(const float* row, int64_t samples) { return std::accumulate(row, row + samples, 0.0); }

void AddFloats(const std::vector<float>& from, bool lower_only, Matrix& to) {
  const int64_t n = to.cols();
  ParallelFor(to.rows(), [&](int64_t i) {
    const int64_t end = lower_only ? i + 1 : n;
    for (int64_t j = 0; j < end; ++j) to(i, j) += from[static_cast<size_t>(i * n + j)];
  });
}

}  // namespace

LayerStatistics::LayerStatistics(const Node& node, const Layer& layer,
                                 const StatisticsOptions& options)
    : node_(node), layer_(layer), options_(options), groups_(layer.groups) {
  const bool conv = node.type == OpType::kConv;
  if (!conv && node.type != OpType::kGemm && node.type != OpType::kMatMul) {
    Fail(layer.name, "second-order statistics are for Conv, Gemm and MatMul only");
  }
  const Shape& weight = layer.weight_shape;
  if (weight.rank() != (conv ? 4 : 2) || weight.NumElements() == 0 || groups_ < 1 ||
      weight[0] % groups_ != 0) {
    Fail(layer.name, "weight {} with {} groups is no {} weight", weight.ToString(), groups_,
         conv ? "convolution" : "fully connected");
  }
  if (!conv) CheckLinear(node, layer.name);
  if (options.max_positions < 0 || options.kept_positions < 0 || options.slab_bytes < 1) {
    Fail(layer.name,
         "max_positions {}, kept_positions {} and slab_bytes {} must not be negative or zero",
         options.max_positions, options.kept_positions, options.slab_bytes);
  }
  rows_ = weight[0] / groups_;
  columns_ = weight.NumElements() / weight[0];
  taps_ = conv ? weight[2] * weight[3] : 1;
  const auto groups = static_cast<size_t>(groups_);
  sums_[0].resize(groups, EmptySums());
  if (options.hold_back) sums_[1].resize(groups, EmptySums());
  shifts_.resize(groups);
  samples_.resize(groups);
}

LayerStatistics::Sums LayerStatistics::EmptySums() const {
  return {Matrix::Zero(columns_, columns_), Matrix::Zero(rows_, columns_), Vector::Zero(columns_),
          Vector::Zero(rows_), Vector::Zero(rows_)};
}

int64_t LayerStatistics::Bytes() const {
  return (options_.hold_back ? 2 : 1) * groups_ * columns_ * (columns_ + rows_) *
         static_cast<int64_t>(sizeof(double));
}

LayerStatistics::Batch LayerStatistics::View(const Tensor& inputs, const Tensor& targets) const {
  Batch batch;
  batch.inputs = inputs.data();
  batch.targets = targets.data();
  batch.in_channels = columns_ / taps_ * groups_;
  batch.out_channels = rows_ * groups_;
  const Shape& x = inputs.shape();
  const Shape& y = targets.shape();
  Shape expected;
  if (layer_.is_linear) {
    if (x.rank() < 2 || x[-1] != batch.in_channels) {
      Fail(layer_.name, "calibration inputs have shape {}, […,{}] expected", x.ToString(),
           batch.in_channels);
    }
    batch.images = x.NumElements() / x[-1];
    expected = x;
    expected.set_dim(x.rank() - 1, batch.out_channels);
  } else {
    const ConvProblem problem = ResolveConv(node_, x, layer_.weight_shape, false);
    batch.window = problem.window;
    batch.images = x[0];
    batch.in_plane = x[2] * x[3];
    batch.out_plane = problem.window.height.output * problem.window.width.output;
    expected = {x[0], batch.out_channels, problem.window.height.output,
                problem.window.width.output};
  }
  if (y != expected) {
    Fail(layer_.name, "calibration targets have shape {}, inputs {} need {}", y.ToString(),
         x.ToString(), expected.ToString());
  }
  return batch;
}

void LayerStatistics::ChoosePositions(std::array<Batch, 2>& parts) const {
  const int64_t plane = parts[0].out_plane;
  const bool all = options_.max_positions == 0 || options_.max_positions >= plane;
  std::vector<int64_t> chosen(static_cast<size_t>(plane));
  std::iota(chosen.begin(), chosen.end(), 0);
  for (int64_t n = 0; n < parts[0].images; ++n) {
    if (!all) {
      Random random(options_.seed, static_cast<uint64_t>(images_ + n));
      chosen = random.Permutation(plane);
      chosen.resize(static_cast<size_t>(options_.max_positions));
      std::sort(chosen.begin(), chosen.end());
    }
    const bool held = (images_ + n) % kHeldBackEvery == kHeldBackEvery - 1;
    Batch& batch = parts.at(held && options_.hold_back ? 1 : 0);
    const auto first = static_cast<int64_t>(batch.image.size());
    for (const int64_t position : chosen) batch.Take(n, position);
    const int64_t kept = std::min(options_.kept_positions, std::ssize(chosen));
    for (int64_t k = 0; k < kept; ++k) {
      batch.kept.at(held ? 1 : 0).push_back(first + k * std::ssize(chosen) / kept);
    }
  }
}

void LayerStatistics::Add(const Tensor& inputs, const Tensor& targets) {
  std::array<Batch, 2> parts = {View(inputs, targets), {}};
  parts[1] = parts[0];
  CheckFinite(inputs, layer_.name, "inputs");
  CheckFinite(targets, layer_.name, "targets");
  ChoosePositions(parts);
  for (const size_t part : {0, 1}) {
    const Batch& batch = parts.at(part);
    if (batch.image.empty()) continue;
    if (groups_ == 1) {
      AddGroup(batch, part, 0, scratch_);
    } else {
      ParallelFor(groups_, [&](int64_t group) {
        Scratch scratch;
        AddGroup(batch, part, group, scratch);
      });
    }
    counts_.at(part) += std::ssize(batch.image);
  }
  images_ += parts[0].images;
  seen_ += parts[0].images * parts[0].out_plane;
}

void LayerStatistics::AddGroup(const Batch& batch, size_t part, int64_t group, Scratch& scratch) {
  const auto total = static_cast<int64_t>(batch.image.size());
  const int64_t lines = columns_ + rows_;
  const int64_t fitting = options_.slab_bytes / static_cast<int64_t>(sizeof(float)) / lines;
  const int64_t capacity = std::min(total, std::max<int64_t>(64, fitting));
  scratch.slab.resize(static_cast<size_t>(lines * capacity));
  scratch.product.resize(static_cast<size_t>(std::max(columns_, rows_) * columns_));
  float* slab = scratch.slab.data();
  const auto g = static_cast<size_t>(group);
  for (int64_t first = 0; first < total; first += capacity) {
    const int64_t samples = std::min(capacity, total - first);
    ParallelFor(lines, [&](int64_t line) {
      float* row = slab + line * samples;
      if (line < columns_) {
        FillColumn(batch, group, line, first, samples, row);
      } else {
        FillTarget(batch, group * rows_ + line - columns_, first, samples, row);
      }
    });
    KeepSamples(batch, slab, first, samples, samples_[g]);
    AddSlab(sums_.at(part)[g], shifts_[g], slab, samples, scratch.product);
  }
}

void LayerStatistics::KeepSamples(const Batch& batch, const float* slab, int64_t first,
                                  int64_t samples, LayerSamples& kept) const {
  for (const bool held : {false, true}) {
    const std::vector<int64_t>& all = batch.kept.at(held ? 1 : 0);
    const auto begin = std::lower_bound(all.begin(), all.end(), first);
    const auto end = std::lower_bound(begin, all.end(), first + samples);
    if (begin == end) continue;
    SampleBlock block;
    block.count = end - begin;
    const auto take = [&](int64_t line, int64_t lines, std::vector<float>& to) {
      to.reserve(static_cast<size_t>(lines * block.count));
      for (const float* row = slab + line * samples; lines > 0; --lines, row += samples) {
        for (auto at = begin; at != end; ++at) to.push_back(row[*at - first]);
      }
    };
    take(0, columns_, block.inputs);
    take(columns_, rows_, block.targets);
    (held ? kept.held_back : kept.fit).push_back(std::move(block));
  }
}

const LayerSamples& LayerStatistics::Samples(int64_t group) const {
  return samples_.at(static_cast<size_t>(group));
}

void LayerStatistics::FillColumn(const Batch& batch, int64_t group, int64_t column, int64_t first,
                                 int64_t samples, float* row) const {
  const WindowAxis& h = batch.window.height;
  const WindowAxis& w = batch.window.width;
  const int64_t tap = column % taps_;
  const int64_t down = tap / w.kernel * h.dilation;
  const int64_t right = tap % w.kernel * w.dilation;
  const int64_t channel = group * (columns_ / taps_) + column / taps_;
  const float* from = batch.inputs + channel * batch.in_plane;
  const int64_t image_stride = batch.in_channels * batch.in_plane;
  for (int64_t s = 0; s < samples; ++s) {
    const auto sample = static_cast<size_t>(first + s);
    const int64_t y = batch.top[sample] + down;
    const int64_t x = batch.left[sample] + right;
    const bool inside = y >= 0 && y < h.input && x >= 0 && x < w.input;
    row[s] = inside ? from[batch.image[sample] * image_stride + y * w.input + x] : 0.0F;
  }
}

void LayerStatistics::FillTarget(const Batch& batch, int64_t channel, int64_t first,
                                 int64_t samples, float* row) const {
  for (int64_t s = 0; s < samples; ++s) {
    const auto sample = static_cast<size_t>(first + s);
    row[s] = batch.targets[(batch.image[sample] * batch.out_channels + channel) * batch.out_plane +
                           batch.position[sample]];
  }
}

void LayerStatistics::AddSlab(Sums& sums, Shift& shift, float* slab, int64_t samples,
                              std::vector<float>& product) const {
  const bool is_first = shift.size() == 0;
  if (is_first) shift.resize(columns_ + rows_);
  ParallelFor(columns_ + rows_, [&](int64_t line) {
    float* row = slab + line * samples;
    if (is_first) {
      shift[line] = static_cast<float>(SumOf(row, samples) / static_cast<double>(samples));
    }
    for (int64_t s = 0; s < samples; ++s) row[s] -= shift[line];
    if (line < columns_) {
      sums.input[line] += SumOf(row, samples);
      return;
    }
    sums.target[line - columns_] += SumOf(row, samples);
    for (int64_t s = 0; s < samples; ++s) {
      sums.target_square[line - columns_] += double{row[s]} * row[s];
    }
  });
  FloatGram(slab, columns_, samples, samples, product.data());
  AddFloats(product, true, sums.gram);
  const float* targets = slab + columns_ * samples;
  FloatProduct(targets, rows_, slab, columns_, samples, samples, product.data());
  AddFloats(product, false, sums.cross);
}

LayerStatistics LayerStatistics::Part(ImagePart part, const std::vector<int64_t>& rows) const {
  const auto from = static_cast<size_t>(part);
  if (count(part) == 0) {
    Fail(layer_.name, "no image is {}; {} were added", from == 0 ? "fitted" : "held back", images_);
  }
  Layer layer = layer_;
  layer.weight_shape.set_dim(0, std::ssize(rows) * groups_);
  LayerStatistics result(node_, layer);
  result.images_ = images_;
  result.seen_ = seen_;
  result.counts_[0] = count(part);
  for (size_t group = 0; group < sums_[from].size(); ++group) {
    const Sums& sums = sums_.at(from)[group];
    Sums& to = result.sums_[0][group];
    to.gram = sums.gram;
    to.cross = sums.cross(rows, Eigen::all);
    to.input = sums.input;
    to.target = sums.target(rows);
    to.target_square = sums.target_square(rows);
    const Shift& shift = shifts_[group];
    result.shifts_[group].resize(columns_ + std::ssize(rows));
    result.shifts_[group] << shift.head(columns_), shift.tail(rows_)(rows);
  }
  return result;
}

Moments LayerStatistics::GroupMoments(int64_t group) const {
  if (count() == 0) Fail(layer_.name, "no calibration sample was added; give at least one image");
  if (group < 0 || group >= groups_) {
    Fail(layer_.name, "group {} asked for, the layer has {}", group, groups_);
  }
  const auto g = static_cast<size_t>(group);
  Vector x = Vector::Zero(columns_);
  Vector y = Vector::Zero(rows_);
  Moments moments;
  moments.covariance = Matrix::Zero(columns_, columns_);
  moments.cross_covariance = Matrix::Zero(rows_, columns_);
  moments.target_variance = Vector::Zero(rows_);
  const double scale = 1.0 / static_cast<double>(count());
  for (const std::vector<Sums>& part : sums_) {
    if (part.empty()) continue;
    x += part[g].input * scale;
    y += part[g].target * scale;
    for (int64_t i = 0; i < columns_; ++i) {
      moments.covariance.row(i).head(i + 1) += scale * part[g].gram.row(i).head(i + 1);
    }
    moments.cross_covariance += part[g].cross * scale;
    moments.target_variance += part[g].target_square * scale;
  }
  for (int64_t i = 0; i < columns_; ++i) {
    moments.covariance.row(i).head(i + 1) -= x[i] * x.head(i + 1).transpose();
    moments.covariance(i, i) = std::max(0.0, moments.covariance(i, i));
  }
  MirrorLower(moments.covariance);
  moments.cross_covariance -= y * x.transpose();
  moments.input_mean = x + shifts_[g].head(columns_).cast<double>();
  moments.target_mean = y + shifts_[g].tail(rows_).cast<double>();
  // Of a constant output only the rounding of floats varies: some 1e-15 of its square.
  constexpr double kRounding = 1e-13;
  const Vector variance = moments.target_variance - y.cwiseAbs2();
  moments.target_variance =
      (variance.array() > kRounding * moments.target_mean.array().square()).select(variance, 0);
  return moments;
}

}  // namespace sparsify

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <limits>
#include <ostream>

#include "reconstruction/second_order/statistics.h"
#include "second_order_support.h"

namespace sparsify {
namespace {

using namespace second_order_test;  // NOLINT(google-build-using-namespace)
using ::testing::HasSubstr;

struct ConvCase {
  int64_t groups, kernel_h, kernel_w;
  std::vector<int64_t> strides, dilations, pads;
};

void PrintTo(const ConvCase& c, std::ostream* out) {
  *out << c.groups << " groups " << c.kernel_h << "x" << c.kernel_w;
}

Node ConvNode(const ConvCase& c) {
  Node node;
  node.name = "conv";
  node.type = OpType::kConv;
  node.attributes.Set("group", c.groups);
  node.attributes.Set("kernel_shape", std::vector<int64_t>{c.kernel_h, c.kernel_w});
  node.attributes.Set("strides", c.strides);
  node.attributes.Set("dilations", c.dilations);
  node.attributes.Set("pads", c.pads);
  return node;
}

Layer ConvLayer(const ConvCase& c, int64_t outputs, int64_t inputs) {
  Layer layer;
  layer.name = "conv";
  layer.groups = c.groups;
  layer.weight_shape = {outputs, inputs / c.groups, c.kernel_h, c.kernel_w};
  return layer;
}

int64_t OutputSize(int64_t in, int64_t pads, int64_t kernel, int64_t stride, int64_t dilation) {
  return (in + pads - (kernel - 1) * dilation - 1) / stride + 1;
}

// Every column of every position, written from the definition.
void NaiveColumns(const ConvCase& c, const Tensor& x, const Tensor& y, int64_t group, Rows& columns,
                  Rows& targets) {
  const auto dim = [](const Tensor& t, int i) { return t.shape()[i]; };
  const int64_t in_group = dim(x, 1) / c.groups;
  const int64_t out_group = dim(y, 1) / c.groups;
  for (int64_t n = 0; n < dim(x, 0); ++n) {
    for (int64_t oh = 0; oh < dim(y, 2); ++oh) {
      for (int64_t ow = 0; ow < dim(y, 3); ++ow) {
        Row column;
        for (int64_t i = group * in_group; i < (group + 1) * in_group; ++i) {
          for (int64_t kh = 0; kh < c.kernel_h; ++kh) {
            for (int64_t kw = 0; kw < c.kernel_w; ++kw) {
              const int64_t h = oh * c.strides[0] - c.pads[0] + kh * c.dilations[0];
              const int64_t w = ow * c.strides[1] - c.pads[1] + kw * c.dilations[1];
              const bool in = h >= 0 && h < dim(x, 2) && w >= 0 && w < dim(x, 3);
              column.push_back(in ? x[((n * dim(x, 1) + i) * dim(x, 2) + h) * dim(x, 3) + w] : 0);
            }
          }
        }
        columns.push_back(column);
        Row target;
        for (int64_t o = group * out_group; o < (group + 1) * out_group; ++o) {
          target.push_back(y[((n * dim(y, 1) + o) * dim(y, 2) + oh) * dim(y, 3) + ow]);
        }
        targets.push_back(target);
      }
    }
  }
}

void ExpectMoments(const Moments& actual, const NaiveMoments& expected) {
  const auto close = [](double a, Real b, double scale) {
    EXPECT_NEAR(a, static_cast<double>(b), 2e-5 * scale);
  };
  const size_t columns = expected.input_mean.size();
  ASSERT_EQ(actual.covariance.rows(), static_cast<int64_t>(columns));
  for (size_t i = 0; i < columns; ++i) {
    const auto ci = static_cast<int64_t>(i);
    close(actual.input_mean[ci], expected.input_mean[i], 10);
    for (size_t j = 0; j < columns; ++j) {
      close(actual.covariance(ci, static_cast<int64_t>(j)), expected.covariance[i][j], 1);
    }
  }
  ASSERT_EQ(actual.target_mean.size(), static_cast<int64_t>(expected.cross.size()));
  for (size_t r = 0; r < expected.cross.size(); ++r) {
    const auto cr = static_cast<int64_t>(r);
    close(actual.target_mean[cr], expected.target_mean[r], 10);
    close(actual.target_variance[cr], expected.target_variance[r], 1);
    for (size_t j = 0; j < columns; ++j) {
      close(actual.cross_covariance(cr, static_cast<int64_t>(j)), expected.cross[r][j], 1);
    }
  }
}

class ConvStatistics : public ::testing::TestWithParam<ConvCase> {};

TEST_P(ConvStatistics, MomentsEqualTheNaiveOnesInAnyBatchesAndSlabs) {
  const ConvCase c = GetParam();
  const int64_t oh = OutputSize(7, c.pads[0] + c.pads[2], c.kernel_h, c.strides[0], c.dilations[0]);
  const int64_t ow = OutputSize(6, c.pads[1] + c.pads[3], c.kernel_w, c.strides[1], c.dilations[1]);
  StatisticsOptions options;
  options.slab_bytes = 1;  // the smallest slab: many of them
  LayerStatistics statistics(ConvNode(c), ConvLayer(c, 4, 4), options);
  std::vector<Rows> columns(At(c.groups));
  std::vector<Rows> targets(At(c.groups));
  for (uint64_t batch = 0; batch < 2; ++batch) {
    const int64_t images = batch == 0 ? 5 : 3;
    const Tensor x = RandomTensor({images, 4, 7, 6}, 10 + batch, 3.0);  // large mean
    const Tensor y = RandomTensor({images, 4, oh, ow}, 20 + batch, -5.0);
    statistics.Add(x, y);
    for (int64_t g = 0; g < c.groups; ++g) {
      NaiveColumns(c, x, y, g, columns[At(g)], targets[At(g)]);
    }
  }
  EXPECT_EQ(statistics.count(), 8 * oh * ow);
  EXPECT_EQ(statistics.seen(), statistics.count());
  EXPECT_EQ(statistics.count(ImagePart::kHeldBack), 0);
  for (int64_t g = 0; g < c.groups; ++g) {
    ExpectMoments(statistics.GroupMoments(g), MomentsOf(columns[At(g)], targets[At(g)]));
  }
}

// Images 7 and 15 of 17 are held back.
TEST_P(ConvStatistics, PartsAreTheMomentsOfTheirImagesAlone) {
  const ConvCase c = GetParam();
  const int64_t oh = OutputSize(7, c.pads[0] + c.pads[2], c.kernel_h, c.strides[0], c.dilations[0]);
  const int64_t ow = OutputSize(6, c.pads[1] + c.pads[3], c.kernel_w, c.strides[1], c.dilations[1]);
  StatisticsOptions options;
  options.hold_back = true;
  LayerStatistics statistics(ConvNode(c), ConvLayer(c, 8, 4), options);
  const std::vector<int64_t> rows =
      c.groups == 1 ? std::vector<int64_t>{1, 2, 6} : std::vector<int64_t>{8 / c.groups - 1};
  std::vector<Rows> all(At(c.groups));
  std::vector<Rows> targets(At(c.groups));
  std::array<std::vector<Rows>, 2> part_columns = {all, all};
  std::array<std::vector<Rows>, 2> part_targets = {all, all};
  int64_t image = 0;
  for (const int64_t images : {5, 12}) {
    Tensor x({images, 4, 7, 6});
    Tensor y({images, 8, oh, ow});
    for (int64_t n = 0; n < images; ++n, ++image) {
      const auto seed = static_cast<uint64_t>(image);
      const Tensor one_x = RandomTensor({1, 4, 7, 6}, 100 + seed, 3.0);
      const Tensor one_y = RandomTensor({1, 8, oh, ow}, 200 + seed, -5.0);
      std::copy_n(one_x.data(), one_x.size(), x.data() + n * one_x.size());
      std::copy_n(one_y.data(), one_y.size(), y.data() + n * one_y.size());
      for (int64_t g = 0; g < c.groups; ++g) {
        Rows columns;
        Rows wanted;
        NaiveColumns(c, one_x, one_y, g, columns, wanted);
        all[At(g)].insert(all[At(g)].end(), columns.begin(), columns.end());
        targets[At(g)].insert(targets[At(g)].end(), wanted.begin(), wanted.end());
        const size_t part = image % 8 == 7 ? 1 : 0;
        Rows& to = part_columns.at(part)[At(g)];
        to.insert(to.end(), columns.begin(), columns.end());
        for (const Row& target : wanted) {
          Row some;
          for (const int64_t row : rows) some.push_back(target[At(row)]);
          part_targets.at(part)[At(g)].push_back(some);
        }
      }
    }
    statistics.Add(x, y);
  }
  EXPECT_EQ(statistics.count(), 17 * oh * ow);
  for (const ImagePart part : {ImagePart::kFitted, ImagePart::kHeldBack}) {
    const LayerStatistics some = statistics.Part(part, rows);
    const auto at = static_cast<size_t>(part);
    EXPECT_EQ(some.count(), (at == 1 ? 2 : 15) * oh * ow);
    EXPECT_EQ(some.count(), statistics.count(part));
    EXPECT_EQ(some.weight_shape()[0], std::ssize(rows) * c.groups);
    for (int64_t g = 0; g < c.groups; ++g) {
      ExpectMoments(some.GroupMoments(g),
                    MomentsOf(part_columns.at(at)[At(g)], part_targets.at(at)[At(g)]));
    }
  }
  for (int64_t g = 0; g < c.groups; ++g) {
    ExpectMoments(statistics.GroupMoments(g), MomentsOf(all[At(g)], targets[At(g)]));
  }
}

TEST(LinearStatistics, APartWithoutImagesIsAnError) {
  const LinearCase data(3, 4, 20, 1);
  EXPECT_EQ(MessageOf([&] { data.statistics.Part(ImagePart::kHeldBack, {0}); }),
            "fc: no image is held back; 20 were added");
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvStatistics,
                         ::testing::Values(ConvCase{1, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}},
                                           ConvCase{1, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}},
                                           ConvCase{2, 3, 2, {2, 1}, {1, 2}, {1, 0, 2, 1}},
                                           ConvCase{4, 3, 3, {2, 2}, {1, 1}, {0, 1, 1, 0}}));

TEST(SecondOrderStatistics, LinearLayerMatchesAndHandlesLargeMeans) {
  const LinearCase data(3, 5, 200, 7);
  Tensor shifted = data.inputs;
  for (float& v : shifted.values()) v += 1000;
  LayerStatistics statistics(LinearNode(), LinearLayer(3, 5));
  statistics.Add(shifted, data.targets);
  const NaiveMoments naive = MomentsOf(RowsOf(shifted), RowsOf(data.targets));
  const Moments moments = statistics.GroupMoments(0);
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(moments.covariance(i, i), static_cast<double>(naive.covariance[At(i)][At(i)]),
                1e-4);
  }
}

TEST(SecondOrderStatistics, SampledPositionsAreCountedAndDoNotDependOnTheBatches) {
  const ConvCase c{1, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}};
  StatisticsOptions options;
  options.max_positions = 9;
  const Tensor x = RandomTensor({4, 2, 8, 8}, 1);
  const Tensor y = RandomTensor({4, 2, 8, 8}, 2);
  LayerStatistics whole(ConvNode(c), ConvLayer(c, 2, 2), options);
  whole.Add(x, y);
  EXPECT_EQ(whole.count(), 36);
  EXPECT_EQ(whole.seen(), 256);
  LayerStatistics parts(ConvNode(c), ConvLayer(c, 2, 2), options);
  for (int64_t n = 0; n < 4; ++n) {
    Tensor one({1, 2, 8, 8});
    Tensor target({1, 2, 8, 8});
    std::copy_n(x.data() + n * 128, 128, one.data());
    std::copy_n(y.data() + n * 128, 128, target.data());
    parts.Add(one, target);
  }
  const Matrix difference = whole.GroupMoments(0).covariance - parts.GroupMoments(0).covariance;
  EXPECT_LT(difference.cwiseAbs().maxCoeff(), 1e-5);
}

// The samples of a group in the order of the images.
void ExpectSamples(const std::vector<SampleBlock>& blocks, const Rows& columns, const Rows& targets,
                   const std::vector<int64_t>& expected) {
  auto at = expected.begin();
  for (const SampleBlock& block : blocks) {
    for (int64_t s = 0; s < block.count; ++s, ++at) {
      ASSERT_NE(at, expected.end());
      const Row& column = columns[At(*at)];
      const Row& target = targets[At(*at)];
      for (size_t i = 0; i < column.size(); ++i) {
        ASSERT_EQ(block.inputs[i * At(block.count) + At(s)], column[i]);
      }
      for (size_t o = 0; o < target.size(); ++o) {
        ASSERT_EQ(block.targets[o * At(block.count) + At(s)], target[o]);
      }
    }
  }
  EXPECT_EQ(at, expected.end());
}

TEST(SecondOrderStatistics, SamplesAreColumnsOfTheLayerAndEveryEighthImageIsHeldBack) {
  const ConvCase c{2, 3, 3, {2, 1}, {1, 1}, {1, 1, 1, 1}};
  for (const int64_t slab_bytes : {1, 1 << 20}) {
    StatisticsOptions options;
    options.kept_positions = 5;
    options.slab_bytes = slab_bytes;
    LayerStatistics statistics(ConvNode(c), ConvLayer(c, 4, 6), options);
    const int64_t positions = int64_t{4} * 6;
    std::vector<Rows> columns(2);
    std::vector<Rows> targets(2);
    for (uint64_t batch = 0; batch < 3; ++batch) {
      const Tensor x = RandomTensor({6, 6, 7, 6}, 10 + batch, 1.0);
      const Tensor y = RandomTensor({6, 4, 4, 6}, 20 + batch);
      statistics.Add(x, y);
      for (int64_t g = 0; g < 2; ++g) NaiveColumns(c, x, y, g, columns[At(g)], targets[At(g)]);
    }
    std::vector<int64_t> fit;
    std::vector<int64_t> held;
    for (int64_t n = 0; n < 18; ++n) {
      for (int64_t k = 0; k < 5; ++k) {
        (n % 8 == 7 ? held : fit).push_back(n * positions + k * positions / 5);
      }
    }
    for (int64_t g = 0; g < 2; ++g) {
      const LayerSamples& samples = statistics.Samples(g);
      ExpectSamples(samples.fit, columns[At(g)], targets[At(g)], fit);
      ExpectSamples(samples.held_back, columns[At(g)], targets[At(g)], held);
    }
  }
}

TEST(SecondOrderStatistics, BadInputNamesTheLayer) {
  const Layer layer = LinearLayer(2, 3);
  LayerStatistics statistics(LinearNode(), layer);
  EXPECT_EQ(MessageOf([&] { statistics.GroupMoments(0); }),
            "fc: no calibration sample was added; give at least one image");
  EXPECT_EQ(MessageOf([&] {
              statistics.Add(Tensor({4, 5}), Tensor({4, 2}));
            }),
            "fc: calibration inputs have shape [4,5], […,3] expected");
  EXPECT_EQ(MessageOf([&] {
              statistics.Add(Tensor({4, 3}), Tensor({3, 2}));
            }),
            "fc: calibration targets have shape [3,2], inputs [4,3] need [4,2]");
  Tensor bad({4, 3});
  bad[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(MessageOf([&] {
              statistics.Add(bad, Tensor({4, 2}));
            }),
            "fc: calibration inputs of shape [4,3] hold nan at flat index 5; check the images and "
            "the model");
  EXPECT_EQ(statistics.count(), 0);
  Node scaled = LinearNode();
  scaled.attributes.Set("alpha", 2.0);
  EXPECT_THAT(MessageOf([&] { LayerStatistics(scaled, layer); }), HasSubstr("fc: second-order"));
  Node other = LinearNode();
  other.type = OpType::kRelu;
  EXPECT_THAT(MessageOf([&] { LayerStatistics(other, layer); }),
              HasSubstr("Conv, Gemm and MatMul"));
}

}  // namespace
}  // namespace sparsify

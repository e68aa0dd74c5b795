// Times every variant of the sparse convolution against oneDNN's dense one on the layers of
// a network: outputs compared first, then interleaved in one process, minimum and median.
//
//   kernel_bench bench/shapes/resnet18.txt --batch 8 --density 0.5 0.1 --layer 2
#include <fmt/format.h>
#include <omp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include "bench/dense_conv.h"
#include "sparsity/base/random.h"
#include "sparsity/executor/isa.h"
#include "sparsity/executor/kernels/sparse_conv.h"

namespace sparsify::bench {
namespace {

struct Options {
  std::string shapes;
  int64_t batch = 8;
  int lanes = 0;
  int threads = 1;
  int layer = -1;
  std::vector<double> densities = {0.5, 0.1};
  double seconds = 1;
  bool all = false;
};

/// 64-byte aligned zeros.
class Buffer {
 public:
  explicit Buffer(int64_t bytes)
      : data_(static_cast<float*>(std::aligned_alloc(1 << 21, (bytes + (1 << 21)) >> 21 << 21))) {
    std::fill_n(data_, bytes / sizeof(float), 0.0F);
  }
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  float* data() const { return data_; }

 private:
  float* data_;
};

struct Times {
  std::vector<double> ms;

  template <class Body>
  void Add(const Body& body) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    ms.push_back(took.count());
  }
  double Min() const { return *std::min_element(ms.begin(), ms.end()); }
  double Median() const {
    std::vector<double> sorted = ms;
    std::nth_element(sorted.begin(), sorted.begin() + sorted.size() / 2, sorted.end());
    return sorted[sorted.size() / 2];
  }
};

std::vector<ConvGeometry> ReadShapes(const Options& options) {
  std::ifstream file(options.shapes);
  if (!file) throw CLI::ValidationError("shapes", "cannot open " + options.shapes);
  std::vector<ConvGeometry> shapes;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    ConvGeometry g;
    int64_t pad = 0;
    fields >> g.in_channels >> g.out_channels >> g.in_h >> g.kernel_h >> g.stride_h >> pad >>
        g.groups;
    g.in_w = g.in_h;
    g.kernel_w = g.kernel_h;
    g.stride_w = g.stride_h;
    g.pad_top = g.pad_left = g.pad_bottom = g.pad_right = pad;
    g.out_h = g.out_w = (g.in_h + 2 * pad - g.kernel_h) / g.stride_h + 1;
    g.batch = options.batch;
    g.lanes = options.lanes > 0         ? options.lanes
              : options.batch % 16 == 0 ? 16
              : options.batch % 8 == 0  ? 8
                                        : 1;
    shapes.push_back(g);
  }
  return shapes;
}

template <class Body>
void ForPlain(const LaneShape& shape, const Body& body) {
  int64_t i = 0;
  for (int64_t n = 0; n < shape.batch; ++n) {
    for (int64_t c = 0; c < shape.channels; ++c) {
      for (int64_t y = 0; y < shape.height; ++y) {
        for (int64_t x = 0; x < shape.width; ++x) body(i++, shape.Offset(n, c, y, x));
      }
    }
  }
}

struct Candidate {
  std::unique_ptr<SparseConv> conv;
  std::unique_ptr<Buffer> scratch;
  std::string name;
  Times times;
};

void BenchLayer(const Options& options, const ConvGeometry& g, double density) {
  Random random(1);
  std::vector<float> x(g.batch * g.in_channels * g.in_h * g.in_w);
  for (float& value : x) value = static_cast<float>(random.Uniform() * 2 - 1);
  std::vector<float> weight(g.out_channels * g.taps());
  for (float& value : weight) {
    value = static_cast<float>(random.Uniform() * 2 - 1);
    if (random.Uniform() >= density) value = 0;
  }
  std::vector<float> bias(g.out_channels);
  for (float& value : bias) value = static_cast<float>(random.Uniform() * 2 - 1);
  DenseConv dense(g, x, weight, bias);
  dense.Run();
  const std::vector<float> expected = dense.Plain();
  const Buffer in(g.InShape().size() * 4);
  const Buffer out(g.OutShape().size() * 4);
  ForPlain(g.InShape(), [&](int64_t i, int64_t at) { in.data()[at] = x[i]; });
  const LaneView in_view{in.data(), g.InShape()};
  const LaneView out_view{out.data(), g.OutShape()};
  const Isa isa = DetectIsa();
  auto variants = options.all ? AllSparseVariants(g, isa) : SparseVariants(g, density, isa);
  if (density == 1) variants = {DenseVariant(g, isa)};
  std::vector<Candidate> candidates;
  for (const SparseVariant& variant : variants) {
    Candidate candidate;
    candidate.conv = std::make_unique<SparseConv>(g, weight.data(), bias.data(),
                                                  Epilogue{{ActivationKind::kRelu}, false}, variant,
                                                  options.threads);
    candidate.scratch = std::make_unique<Buffer>(candidate.conv->scratch_bytes());
    candidate.name = variant.name;
    candidate.conv->Run(in_view, nullptr, out_view, candidate.scratch->data());
    double error = 0;
    ForPlain(g.OutShape(), [&](int64_t i, int64_t at) {
      error = std::max<double>(error, std::abs(out.data()[at] - expected[i]));
    });
    if (error > 1e-5 * static_cast<double>(g.taps())) {
      fmt::print("{}: wrong by {}, not timed\n", variant.name, error);
      continue;
    }
    candidates.push_back(std::move(candidate));
  }
  Times dense_times;
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(options.seconds);
  while (std::chrono::steady_clock::now() < end || dense_times.ms.size() < 5) {
    dense_times.Add([&] { dense.Run(); });
    for (Candidate& c : candidates) {
      c.times.Add([&] { c.conv->Run(in_view, nullptr, out_view, c.scratch->data()); });
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return a.times.Median() < b.times.Median();
  });
  fmt::print("{}>{}@{} k{} s{} g{} density {:.2f}: dense {:.3f}/{:.3f} ms {} ({:.0f} GMAC/s)\n",
             g.in_channels, g.out_channels, g.in_h, g.kernel_h, g.stride_h, g.groups, density,
             dense_times.Min(), dense_times.Median(), dense.name(),
             static_cast<double>(g.macs()) / dense_times.Min() / 1e6);
  for (const Candidate& c : candidates) {
    fmt::print("   {:28} {:.3f}/{:.3f} ms  speed-up min {:.2f} median {:.2f}  {:.0f} KB\n", c.name,
               c.times.Min(), c.times.Median(), dense_times.Min() / c.times.Min(),
               dense_times.Median() / c.times.Median(),
               static_cast<double>(c.conv->constant_bytes()) / 1024);
  }
  std::cout << std::flush;
}

}  // namespace
}  // namespace sparsify::bench

int main(int argc, char** argv) {
  using namespace sparsify::bench;
  Options options;
  CLI::App app("sparse convolution kernels against oneDNN");
  app.add_option("shapes", options.shapes, "a file of bench/shapes")->required();
  app.add_option("--batch", options.batch, "images");
  app.add_option("--lanes", options.lanes, "1, 8 or 16; default: by batch");
  app.add_option("--threads", options.threads, "threads of both sides");
  app.add_option("--layer", options.layer, "only this line of the file, from 0");
  app.add_option("--density", options.densities, "fractions of nonzero weights");
  app.add_option("--seconds", options.seconds, "for each layer and density");
  app.add_flag("--all", options.all, "every variant of the table, not only the promising ones");
  CLI11_PARSE(app, argc, argv);
  omp_set_num_threads(options.threads);
  const auto shapes = ReadShapes(options);
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (options.layer >= 0 && static_cast<size_t>(options.layer) != i) continue;
    for (const double density : options.densities) BenchLayer(options, shapes[i], density);
  }
  return 0;
}

#include "tests/executor/kernels_support.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sparsify::testing {
namespace {

constexpr char kFront = 0x5a;
constexpr double kEpsilon = 1.0 / (1 << 23);

int64_t PageBytes() { return sysconf(_SC_PAGESIZE); }

}  // namespace

GuardedBuffer::GuardedBuffer(int64_t bytes) {
  const int64_t page = PageBytes();
  const int64_t rounded = (std::max<int64_t>(bytes, 1) + 63) / 64 * 64;
  const int64_t inside = (rounded + page - 1) / page * page;
  map_bytes_ = inside + 2 * page;
  map_ = static_cast<char*>(
      mmap(nullptr, map_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (map_ == MAP_FAILED) throw std::bad_alloc();
  mprotect(map_, page, PROT_NONE);
  mprotect(map_ + page + inside, page, PROT_NONE);
  data_ = map_ + page + inside - rounded;
  std::memset(map_ + page, kFront, inside - rounded);
}

GuardedBuffer::~GuardedBuffer() { munmap(map_, map_bytes_); }

bool GuardedBuffer::FrontIntact() const {
  return std::all_of(map_ + PageBytes(), static_cast<char*>(data_),
                     [](char c) { return c == kFront; });
}

GuardedLanes::GuardedLanes(const LaneShape& shape) : shape_(shape), buffer_(shape.size() * 4) {
  std::fill_n(buffer_.floats(), shape.size(), kFiller);
  ForHalo([](float& x) { x = 0; });
  Fill(std::vector<float>(shape.batch * shape.channels * shape.height * shape.width, 0.0F));
}

template <class Body>
void GuardedLanes::ForHalo(const Body& body) const {
  const int64_t planes = shape_.groups() * shape_.channels;
  for (int64_t plane = 0; plane < planes; ++plane) {
    float* data = buffer_.floats() + plane * shape_.plane_stride();
    for (int64_t y = -shape_.halo; y < shape_.height + shape_.halo; ++y) {
      for (int64_t x = -shape_.halo; x < shape_.width + shape_.halo; ++x) {
        if (y >= 0 && y < shape_.height && x >= 0 && x < shape_.width) continue;
        for (int lane = 0; lane < shape_.lanes; ++lane) {
          body(data[((y + shape_.halo) * (shape_.width + 2 * shape_.halo) + x + shape_.halo) *
                        shape_.lanes +
                    lane]);
        }
      }
    }
  }
}

void GuardedLanes::Fill(const std::vector<float>& plain) {
  size_t i = 0;
  for (int64_t n = 0; n < shape_.batch; ++n) {
    for (int64_t c = 0; c < shape_.channels; ++c) {
      for (int64_t y = 0; y < shape_.height; ++y) {
        for (int64_t x = 0; x < shape_.width; ++x) {
          buffer_.floats()[shape_.Offset(n, c, y, x)] = plain[i++];
        }
      }
    }
  }
}

std::vector<float> GuardedLanes::Plain() const {
  std::vector<float> plain;
  for (int64_t n = 0; n < shape_.batch; ++n) {
    for (int64_t c = 0; c < shape_.channels; ++c) {
      for (int64_t y = 0; y < shape_.height; ++y) {
        for (int64_t x = 0; x < shape_.width; ++x) {
          plain.push_back(buffer_.floats()[shape_.Offset(n, c, y, x)]);
        }
      }
    }
  }
  return plain;
}

bool GuardedLanes::Intact() const {
  bool zero = true;
  ForHalo([&](float x) { zero = zero && x == 0; });
  return zero && buffer_.FrontIntact();
}

std::vector<float> RandomFloats(int64_t count, Random& random) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.Uniform() * 2 - 1);
  return values;
}

std::vector<float> RandomSparse(int64_t count, double density, Random& random) {
  std::vector<float> values = RandomFloats(count, random);
  for (float& value : values) {
    if (random.Uniform() >= density) value = 0;
  }
  return values;
}

double NaiveActivate(const Activation& activation, double x) {
  switch (activation.kind) {
    case ActivationKind::kNone:
      return x;
    case ActivationKind::kRelu:
      return x > 0 ? x : 0;
    case ActivationKind::kClip:
      return std::min<double>(std::max<double>(x, activation.alpha), activation.beta);
    case ActivationKind::kHardSigmoid:
      return std::min(1.0, std::max(0.0, double{activation.alpha} * x + double{activation.beta}));
    case ActivationKind::kHardSwish:
      return x * std::min(1.0, std::max(0.0, x / 6 + 0.5));
    case ActivationKind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case ActivationKind::kSilu:
      return x / (1 + std::exp(-x));
  }
  return x;
}

Reference NaiveConv(const ConvGeometry& g, const std::vector<float>& x,
                    const std::vector<float>& weight, const std::vector<float>& bias,
                    const std::vector<float>& residual, const Activation& activation) {
  Reference result;
  const int64_t in = g.in_channels / g.groups;
  const int64_t out = g.out_channels / g.groups;
  // Every float operation errs by half an epsilon of a partial sum, which the sum of
  // magnitudes bounds; activations have slopes up to 1.5 and err by a few roundings.
  const double per_term = 1.5 * 0.5 * kEpsilon * (static_cast<double>(g.taps()) + 3);
  for (int64_t n = 0; n < g.batch; ++n) {
    for (int64_t o = 0; o < g.out_channels; ++o) {
      for (int64_t oy = 0; oy < g.out_h; ++oy) {
        for (int64_t ox = 0; ox < g.out_w; ++ox) {
          double sum = bias.empty() ? 0 : bias[o];
          if (!residual.empty()) sum += residual[result.value.size()];
          double magnitude = std::abs(bias.empty() ? 0 : bias[o]) +
                             (residual.empty() ? 0 : std::abs(residual[result.value.size()]));
          for (int64_t i = 0; i < in; ++i) {
            for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
              for (int64_t kw = 0; kw < g.kernel_w; ++kw) {
                const int64_t iy = oy * g.stride_h - g.pad_top + kh * g.dilation_h;
                const int64_t ix = ox * g.stride_w - g.pad_left + kw * g.dilation_w;
                if (iy < 0 || iy >= g.in_h || ix < 0 || ix >= g.in_w) continue;
                const int64_t c = o / out * in + i;
                const double term =
                    double{x[((n * g.in_channels + c) * g.in_h + iy) * g.in_w + ix]} *
                    weight[((o * in + i) * g.kernel_h + kh) * g.kernel_w + kw];
                sum += term;
                magnitude += std::abs(term);
              }
            }
          }
          const double value = NaiveActivate(activation, sum);
          result.value.push_back(value);
          result.bound.push_back(per_term * magnitude + 8 * kEpsilon * std::abs(value) + 1e-30);
        }
      }
    }
  }
  return result;
}

::testing::AssertionResult Near(const std::vector<float>& actual, const Reference& expected) {
  if (actual.size() != expected.value.size()) {
    return ::testing::AssertionFailure()
           << actual.size() << " elements, expected " << expected.value.size();
  }
  size_t worst = 0;
  double worst_ratio = 0;
  size_t wrong = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double error = std::abs(actual[i] - expected.value[i]);
    const double ratio = error / expected.bound[i];
    if (!(ratio <= 1)) ++wrong;
    if (!(ratio <= worst_ratio)) {
      worst = i;
      worst_ratio = ratio;
    }
  }
  if (wrong == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << wrong << " of " << actual.size() << " elements wrong; the worst, " << worst << ", is "
         << actual[worst] << ", expected " << expected.value[worst] << " within "
         << expected.bound[worst];
}

void SetOutputSize(ConvGeometry& g) {
  g.out_h =
      (g.in_h + g.pad_top + g.pad_bottom - g.dilation_h * (g.kernel_h - 1) - 1) / g.stride_h + 1;
  g.out_w =
      (g.in_w + g.pad_left + g.pad_right - g.dilation_w * (g.kernel_w - 1) - 1) / g.stride_w + 1;
}

ConvGeometry MakeGeometry(int64_t batch, int64_t in, int64_t out, int64_t size, int64_t kernel,
                          int64_t stride, int64_t pad, int lanes) {
  ConvGeometry g;
  g.batch = batch;
  g.in_channels = in;
  g.out_channels = out;
  g.in_h = g.in_w = size;
  g.kernel_h = g.kernel_w = kernel;
  g.stride_h = g.stride_w = stride;
  g.pad_top = g.pad_left = g.pad_bottom = g.pad_right = pad;
  g.lanes = lanes;
  SetOutputSize(g);
  return g;
}

}  // namespace sparsify::testing

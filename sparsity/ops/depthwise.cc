#include "sparsity/ops/depthwise.h"

#include <algorithm>
#include <vector>

#include "sparsity/base/parallel.h"
#include "sparsity/base/rounding.h"
#include "sparsity/ops/vector_loops.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {
namespace {

// Where everything lies in the sub-planes of one channel.
class Layout {
 public:
  explicit Layout(const ConvProblem& p)
      : height_(p.window.height), width_(p.window.width), row_(PhaseLength(width_)) {
    sub_plane_ = PhaseLength(height_) * row_;
    run_ = RoundUp(height_.output * row_, kVectorBlock);
    const int64_t last = sub_plane_ * height_.stride * width_.stride;
    for (int64_t i = 0; i < height_.kernel; ++i) {
      for (int64_t j = 0; j < width_.kernel; ++j) {
        taps_.push_back(Offset(i * height_.dilation, j * width_.dilation));
      }
    }
    size_ = std::max(last, *std::max_element(taps_.begin(), taps_.end()) + run_);
  }

  /// Elements of all sub-planes, with what a run reads behind them.
  int64_t size() const { return size_; }
  /// Where each tap's run begins.
  const std::vector<int64_t>& taps() const { return taps_; }
  /// Elements of a run: the outputs in rows of the sub-planes' length, rounded up.
  int64_t run() const { return run_; }

  /// Every element of the input has a part in some output.
  bool ReadsAll() const {
    return height_.input <= ReadEnd(height_) && width_.input <= ReadEnd(width_);
  }

  /// The input plane ↔ the sub-planes. What no output reads is left out.
  void SpreadInput(const float* plane, float* planes) const {
    ForPhases([&](const Phase& p) {
      CopyGrid(plane + p.plane, p.plane_steps, p.rows, p.columns, planes + p.offset, {row_, 1});
    });
  }
  void GatherInput(const float* planes, float* plane) const {
    ForPhases([&](const Phase& p) {
      CopyGrid(planes + p.offset, {row_, 1}, p.rows, p.columns, plane + p.plane, p.plane_steps);
    });
  }

  /// The output plane ↔ a run.
  void SpreadOutput(const float* plane, float* run) const {
    CopyGrid(plane, {width_.output, 1}, height_.output, width_.output, run, {row_, 1});
  }
  void GatherOutput(const float* run, float* plane) const {
    CopyGrid(run, {row_, 1}, height_.output, width_.output, plane, {width_.output, 1});
  }

 private:
  // Padded positions that the outputs read.
  static int64_t PaddedEnd(const WindowAxis& a) { return (a.output - 1) * a.stride + a.Extent(); }
  static int64_t ReadEnd(const WindowAxis& a) { return PaddedEnd(a) - a.pad_begin; }
  static int64_t PhaseLength(const WindowAxis& a) {
    return (PaddedEnd(a) + a.stride - 1) / a.stride;
  }
  // The first position of a phase, and how many follow at the stride.
  static int64_t First(const WindowAxis& a, int64_t phase) {
    return ((phase - a.pad_begin) % a.stride + a.stride) % a.stride;
  }
  static int64_t Count(const WindowAxis& a, int64_t phase) {
    const int64_t span = std::min(a.input, ReadEnd(a)) - First(a, phase);
    return span <= 0 ? 0 : (span + a.stride - 1) / a.stride;
  }
  int64_t Offset(int64_t padded_y, int64_t padded_x) const {
    const int64_t sub_plane = padded_y % height_.stride * width_.stride + padded_x % width_.stride;
    return sub_plane * sub_plane_ + padded_y / height_.stride * row_ + padded_x / width_.stride;
  }

  // The elements of the input plane that lie in one sub-plane.
  struct Phase {
    int64_t plane;  // where the first one is in the plane
    GridSteps plane_steps;
    int64_t rows, columns;
    int64_t offset;  // and in the sub-planes
  };
  template <class Body>
  void ForPhases(const Body& body) const {
    for (int64_t i = 0; i < height_.stride; ++i) {
      for (int64_t j = 0; j < width_.stride; ++j) {
        const int64_t y = First(height_, i);
        const int64_t x = First(width_, j);
        const Phase phase = {y * width_.input + x,
                             {height_.stride * width_.input, width_.stride},
                             Count(height_, i),
                             Count(width_, j),
                             Offset(y + height_.pad_begin, x + width_.pad_begin)};
        if (phase.rows > 0 && phase.columns > 0) body(phase);
      }
    }
  }

  WindowAxis height_;
  WindowAxis width_;
  int64_t row_;
  int64_t sub_plane_ = 0;
  int64_t run_ = 0;
  int64_t size_ = 0;
  std::vector<int64_t> taps_;
};

// Sub-planes and a run of one thread, zeros to begin with.
struct Scratch {
  explicit Scratch(const Layout& layout) {
    thread_local Tensor kept;
    const int64_t size = RoundUp(layout.size(), kVectorBlock);
    kept.Resize(Shape{size + layout.run()});
    kept.Fill(0);
    planes = kept.data();
    run = planes + size;
  }
  float* planes;
  float* run;
};

// Elements of one plane.
int64_t InputArea(const ConvProblem& p) { return p.window.height.input * p.window.width.input; }
int64_t OutputArea(const ConvProblem& p) { return p.window.height.output * p.window.width.output; }
int64_t TapCount(const ConvProblem& p) { return p.window.height.kernel * p.window.width.kernel; }

// The gradient for the input of a convolution of stride 1 is a convolution of the outputs'
// gradient, with the kernel turned round.
WindowAxis Reversed(const WindowAxis& a) {
  WindowAxis reversed = a;
  reversed.input = a.output;
  reversed.output = a.input;
  reversed.pad_begin = a.Extent() - 1 - a.pad_begin;
  reversed.pad_end = a.Extent() - 1 - a.pad_end;
  return reversed;
}

bool IsReversible(const WindowAxis& a) {
  return a.stride == 1 && a.pad_begin < a.Extent() && a.pad_end < a.Extent();
}

void ReversedConv(ConvProblem problem, const float* w, const float* grad_y, float* grad_x) {
  problem.window.height = Reversed(problem.window.height);
  problem.window.width = Reversed(problem.window.width);
  const int64_t taps = TapCount(problem);
  std::vector<float> turned(w, w + problem.in_channels * taps);
  for (int64_t c = 0; c < problem.in_channels; ++c) {
    std::reverse(turned.begin() + c * taps, turned.begin() + (c + 1) * taps);
  }
  DepthwiseConv(problem, grad_y, turned.data(), nullptr, grad_x);
}

}  // namespace

bool IsDepthwise(const ConvProblem& problem) {
  return problem.groups > 1 && problem.groups == problem.in_channels &&
         problem.groups == problem.out_channels;
}

void DepthwiseConv(const ConvProblem& problem, const float* x, const float* w, const float* bias,
                   float* y) {
  const Layout layout(problem);
  ParallelFor(problem.in_channels, [&](int64_t channel) {
    const Scratch scratch(layout);
    for (int64_t n = 0; n < problem.batch; ++n) {
      const int64_t plane = n * problem.in_channels + channel;
      layout.SpreadInput(x + plane * InputArea(problem), scratch.planes);
      CorrelateRuns(scratch.planes, layout.taps(), w + channel * TapCount(problem),
                    bias == nullptr ? 0 : bias[channel], layout.run(), scratch.run);
      layout.GatherOutput(scratch.run, y + plane * OutputArea(problem));
    }
  });
}

void DepthwiseGradInput(const ConvProblem& problem, const float* w, const float* grad_y,
                        float* grad_x) {
  if (IsReversible(problem.window.height) && IsReversible(problem.window.width)) {
    ReversedConv(problem, w, grad_y, grad_x);
    return;
  }
  const Layout layout(problem);
  ParallelFor(problem.in_channels, [&](int64_t channel) {
    const Scratch scratch(layout);
    for (int64_t n = 0; n < problem.batch; ++n) {
      const int64_t plane = n * problem.in_channels + channel;
      std::fill(scratch.planes, scratch.run, 0.0F);
      layout.SpreadOutput(grad_y + plane * OutputArea(problem), scratch.run);
      SpreadRuns(scratch.run, layout.taps(), w + channel * TapCount(problem), layout.run(),
                 scratch.planes);
      float* result = grad_x + plane * InputArea(problem);
      if (!layout.ReadsAll()) std::fill_n(result, InputArea(problem), 0.0F);
      layout.GatherInput(scratch.planes, result);
    }
  });
}

void DepthwiseGradWeight(const ConvProblem& problem, const float* x, const float* grad_y,
                         float* grad_w) {
  const Layout layout(problem);
  ParallelFor(problem.in_channels, [&](int64_t channel) {
    const Scratch scratch(layout);
    std::vector<double> sums(layout.taps().size(), 0);
    for (int64_t n = 0; n < problem.batch; ++n) {
      const int64_t plane = n * problem.in_channels + channel;
      layout.SpreadInput(x + plane * InputArea(problem), scratch.planes);
      layout.SpreadOutput(grad_y + plane * OutputArea(problem), scratch.run);
      DotRuns(scratch.run, scratch.planes, layout.taps(), layout.run(), sums.data());
    }
    float* result = grad_w + channel * TapCount(problem);
    std::transform(sums.begin(), sums.end(), result,
                   [](double sum) { return static_cast<float>(sum); });
  });
}

}  // namespace sparsify

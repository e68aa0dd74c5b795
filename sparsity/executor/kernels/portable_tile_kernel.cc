#include "sparsity/executor/kernels/portable_tile_kernel.h"

#include <algorithm>
#include <array>
#include <type_traits>

namespace sparsify {
namespace {

constexpr int kMaxAccumulators = 32;
constexpr int kMaxFloats = 16;

template <class T>
T* Advance(T* pointer, int64_t bytes) {
  using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
  return reinterpret_cast<T*>(reinterpret_cast<Byte*>(pointer) + bytes);
}

class PortableTileKernel : public TileKernel {
 public:
  explicit PortableTileKernel(const TileKernelSpec& spec) : spec_(spec) {}

  void Run(const TileCall& call) const noexcept override {
    State state{call.offsets, call.values, call.counts, {}};
    const int64_t accumulators = static_cast<int64_t>(spec_.rows) * vectors() * floats();
    for (int64_t group = 0; group < call.row_groups; ++group) {
      float* spill = call.spill + group * accumulators;
      if (call.first != 0) {
        Begin(call, group, state);
      } else {
        std::copy_n(spill, accumulators, state.sums.data());
      }
      Columns(call, state);
      if (call.last != 0) {
        Finish(call, group, state);
      } else {
        std::copy_n(state.sums.data(), accumulators, spill);
      }
    }
  }

 private:
  struct State {
    const uint16_t* offsets;
    const float* values;
    const uint16_t* counts;
    std::array<float, kMaxAccumulators * kMaxFloats> sums;
  };

  int vectors() const { return static_cast<int>(spec_.vectors.size()); }
  int floats() const { return spec_.vector_floats; }
  float* Sum(State& state, int row, int vector) const {
    return state.sums.data() + (static_cast<ptrdiff_t>(row) * vectors() + vector) * floats();
  }

  /// Calls body(sum index, byte offset of the float) for the floats of a vector that exist.
  template <class Body>
  void ForFloats(const TileKernelSpec::Vector& vector, int32_t first, int32_t pair,
                 const Body& body) const {
    const int width = floats() / spec_.parts;
    const int count = vector.masked ? spec_.mask_floats : width;
    for (int part = 0; part < spec_.parts; ++part) {
      for (int i = 0; i < count; ++i) {
        body(part * width + i, first + part * pair + i * static_cast<int>(sizeof(float)));
      }
    }
  }

  void Begin(const TileCall& call, int64_t group, State& state) const {
    for (int row = 0; row < spec_.rows; ++row) {
      std::fill_n(Sum(state, row, 0), vectors() * floats(), call.bias[group * spec_.rows + row]);
    }
  }

  void AddResidual(const TileCall& call, int64_t channel, int row, State& state) const {
    const float* from = Advance(call.residual, channel * spec_.residual_stride);
    for (int v = 0; v < vectors(); ++v) {
      float* sum = Sum(state, row, v);
      ForFloats(spec_.vectors[v], spec_.vectors[v].residual, spec_.residual_pair,
                [&](int i, int32_t offset) { sum[i] += *Advance(from, offset); });
    }
  }

  void Columns(const TileCall& call, State& state) const {
    const int patterns = PatternCount(spec_.bits());
    for (int pattern = spec_.dense ? patterns : 1; pattern <= patterns; ++pattern) {
      for (int n = *state.counts++; n > 0; --n) {
        const float* column =
            Advance(call.in, static_cast<int64_t>(*state.offsets++) * spec_.column_bytes);
        for (int bit = 0; bit < spec_.bits(); ++bit) {
          if ((pattern >> bit & 1) == 0) continue;
          const float value = *state.values++;
          const float* tap = Advance(column, static_cast<int64_t>(bit % spec_.taps) * spec_.tap_in);
          for (int v = 0; v < vectors(); ++v) {
            const float* x = Advance(tap, spec_.vectors[v].in);
            float* sum = Sum(state, bit / spec_.taps, v);
            for (int i = 0; i < floats(); ++i) sum[i] += value * x[i];
          }
        }
      }
    }
  }

  void Finish(const TileCall& call, int64_t group, State& state) const {
    for (int row = 0; row < spec_.rows; ++row) {
      const int64_t channel = group * spec_.rows + row;
      if (spec_.epilogue.add_residual) AddResidual(call, channel, row, state);
      float* to = Advance(call.out, channel * spec_.out_stride);
      for (int v = 0; v < vectors(); ++v) {
        const float* sum = Sum(state, row, v);
        ForFloats(spec_.vectors[v], spec_.vectors[v].out, spec_.out_pair,
                  [&](int i, int32_t offset) {
                    *Advance(to, offset) = Activate(spec_.epilogue.activation, sum[i]);
                  });
      }
    }
  }

  TileKernelSpec spec_;
};

}  // namespace

std::unique_ptr<TileKernel> MakePortableTileKernel(const TileKernelSpec& spec) {
  return std::make_unique<PortableTileKernel>(spec);
}

}  // namespace sparsify

#include "sparsity/executor/jit/jit_tile_kernel.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <map>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/executor/jit/code.h"
#include "sparsity/executor/jit/vector_activation.h"

namespace sparsify {
namespace {

using Xbyak::Label;
using Xbyak::Reg64;
using Xbyak::Xmm;
using Xbyak::Ymm;
using Xbyak::Zmm;

/// Generous: at most about 10 bytes for each of rows × vectors × patterns instructions.
size_t CodeBytes(const TileKernelSpec& spec) {
  const size_t patterns = spec.dense ? 1 : PatternCount(spec.bits());
  const size_t uses = spec.bits() * spec.vectors.size();
  return 16384 + patterns * (uses * 24 + 384) + uses * 256 +
         32 * static_cast<size_t>(spec.in_prefetches + spec.out_prefetches) +
         64 * static_cast<size_t>(spec.moves);
}

template <class Vector>
class JitTileKernel final : public TileKernel, private Code {
 public:
  explicit JitTileKernel(const TileKernelSpec& spec)
      : Code(CodeBytes(spec)),
        spec_(spec),
        accumulators_(spec.rows * static_cast<int>(spec.vectors.size())),
        activation_(*this, spec.epilogue.activation,
                    {kRegisters - 1, kRegisters - 2, kRegisters - 3}) {
    Emit();
    function_ = Seal<Function>();
  }

  void Run(const TileCall& call) const noexcept override { function_(&call); }

 private:
  using Function = void (*)(const TileCall*);
  static constexpr bool kAvx512 = std::is_same_v<Vector, Zmm>;
  static constexpr int kRegisters = kAvx512 ? 32 : 16;
  static constexpr int kVectorBytes = kAvx512 ? 64 : 32;
  static constexpr int kMaskRegister = 12;  // without mask registers; accumulators end below

  Vector Sum(int row, int vector) const {
    return Vector(row * static_cast<int>(spec_.vectors.size()) + vector);
  }
  int vectors() const { return static_cast<int>(spec_.vectors.size()); }

  void Emit();
  void EmitEntry();
  void EmitExit();
  void EmitBegin();
  void EmitResidual();
  void EmitFinish();
  void EmitSpill(bool store);
  void EmitPrefetches();
  void EmitMoves(int begin, int end);
  void EmitPattern(int pattern, int index);
  void EmitValuePrefetches(int index);
  void EmitColumn(int pattern);
  void EmitUses(const std::vector<std::pair<int, int>>& uses, const Vector& x, int32_t in,
                int in_registers);
  void EmitMask();
  void EmitAddResidual(const Vector& sum, const TileKernelSpec::Vector& vector);
  void EmitStore(const Vector& sum, const TileKernelSpec::Vector& vector);
  void CompareFlag(size_t member);

  const Reg64& in_ = rdi;
  const Reg64& offsets_ = rsi;
  const Reg64& values_ = rdx;
  const Reg64& counts_ = rcx;
  const Reg64& spill_ = r8;
  const Reg64& out_ = r9;
  const Reg64& move_base_ = r10;
  const Reg64& move_to_ = r11;  // less 8 times the address of the moves
  const Reg64& column_ = rax;
  const Reg64& n_ = rbx;
  const Reg64& residual_ = rbp;
  const Reg64& in_list_ = r12;
  const Reg64& in_base_ = r13;
  const Reg64& out_list_ = r14;
  const Reg64& out_base_ = r15;

  // What is needed once a row group or less lies on the stack.
  const Xbyak::Address call_ = qword[rsp];
  const Xbyak::Address left_ = qword[rsp + 8];
  const Xbyak::Address bias_ = qword[rsp + 16];
  const Xbyak::Address moves_ = qword[rsp + 24];
  static constexpr int kStackBytes = 32;

  TileKernelSpec spec_;
  int accumulators_;
  VectorActivation<Vector> activation_;
  Label mask_;
  Function function_ = nullptr;
};

template <class Vector>
void JitTileKernel<Vector>::EmitEntry() {
  for (const Reg64* saved : {&rbx, &rbp, &r12, &r13, &r14, &r15}) push(*saved);
  sub(rsp, kStackBytes);
  mov(call_, rdi);
  const std::pair<const Xbyak::Address*, size_t> kept[] = {{&left_, offsetof(TileCall, row_groups)},
                                                           {&bias_, offsetof(TileCall, bias)},
                                                           {&moves_, offsetof(TileCall, moves)}};
  for (const auto& [to, member] : kept) {
    mov(rax, ptr[rdi + member]);
    mov(*to, rax);
  }
  const std::pair<const Reg64*, size_t> arguments[] = {
      {&offsets_, offsetof(TileCall, offsets)},
      {&values_, offsetof(TileCall, values)},
      {&counts_, offsetof(TileCall, counts)},
      {&spill_, offsetof(TileCall, spill)},
      {&out_, offsetof(TileCall, out)},
      {&residual_, offsetof(TileCall, residual)},
      {&move_base_, offsetof(TileCall, move_base)},
      {&move_to_, offsetof(TileCall, move_to)},
      {&in_list_, offsetof(TileCall, in_prefetch)},
      {&in_base_, offsetof(TileCall, in_prefetch_base)},
      {&out_list_, offsetof(TileCall, out_prefetch)},
      {&out_base_, offsetof(TileCall, out_prefetch_base)},
      {&in_, offsetof(TileCall, in)}};  // last: in_ holds the pointer to the call
  for (const auto& [to, member] : arguments) mov(*to, ptr[rdi + member]);
  if (spec_.moves > 0) {
    shl(rax, 3);  // the address of the moves, kept last
    sub(move_to_, rax);
    mov(eax, 0xff00);  // the second part of a slot
    kmovw(k3, eax);
  }
  if (spec_.mask_floats > 0 && kAvx512) {
    mov(eax, (1 << spec_.mask_floats) - 1);
    kmovw(k1, eax);
  }
}

template <class Vector>
void JitTileKernel<Vector>::EmitExit() {
  vzeroupper();
  add(rsp, kStackBytes);
  for (const Reg64* saved : {&r15, &r14, &r13, &r12, &rbp, &rbx}) pop(*saved);
  ret();
}

template <class Vector>
void JitTileKernel<Vector>::CompareFlag(size_t member) {
  mov(rax, call_);
  cmp(qword[rax + member], 0);
}

template <class Vector>
void JitTileKernel<Vector>::Emit() {
  EmitEntry();
  Label group;
  L(group);
  Label resume;
  Label columns;
  CompareFlag(offsetof(TileCall, first));
  jz(resume, T_NEAR);
  EmitBegin();
  jmp(columns, T_NEAR);
  L(resume);
  EmitSpill(false);
  L(columns);
  EmitPrefetches();
  const int patterns = PatternCount(spec_.bits());
  const int first = spec_.dense ? patterns : 1;
  const int loops = patterns - first + 1;
  for (int i = 0; i < loops; ++i) {
    EmitMoves(i * spec_.moves / loops, (i + 1) * spec_.moves / loops);
    EmitPattern(first + i, i);
  }
  add(counts_, 2 * loops);
  if (spec_.moves > 0) add(moves_, spec_.moves * static_cast<int>(sizeof(TileMove)));
  Label keep;
  Label next;
  CompareFlag(offsetof(TileCall, last));
  jz(keep, T_NEAR);
  EmitFinish();
  jmp(next, T_NEAR);
  L(keep);
  EmitSpill(true);
  L(next);
  add(spill_, accumulators_ * kVectorBytes);
  add(bias_, spec_.rows * static_cast<int>(sizeof(float)));
  sub(left_, 1);
  jnz(group, T_NEAR);
  EmitExit();
  activation_.EmitConstants();
  EmitMask();
}

template <class Vector>
void JitTileKernel<Vector>::EmitBegin() {
  mov(rax, bias_);
  for (int row = 0; row < spec_.rows; ++row) {
    vbroadcastss(Sum(row, 0), ptr[rax + 4 * row]);
    for (int v = 1; v < vectors(); ++v) vmovaps(Sum(row, v), Sum(row, 0));
  }
}

template <class Vector>
void JitTileKernel<Vector>::EmitAddResidual(const Vector& sum,
                                            const TileKernelSpec::Vector& vector) {
  const Vector x(kRegisters - 1);
  const auto from = ptr[residual_ + vector.residual];
  if (spec_.parts == 2) {
    const Ymm low(x.getIdx());
    const Ymm high(x.getIdx() - 1);
    const auto second = ptr[residual_ + vector.residual + spec_.residual_pair];
    vmovups(vector.masked ? low | k1 | T_z : low, from);
    vmovups(vector.masked ? high | k1 | T_z : high, second);
    vinsertf32x8(Zmm(x.getIdx()), Zmm(x.getIdx()), high, 1);
  } else if (!vector.masked) {
    vaddps(sum, sum, from);
    return;
  } else if (kAvx512) {
    vmovups(x | k1 | T_z, from);
  } else {
    vmovups(Ymm(x.getIdx() - 1), ptr[rip + mask_]);
    vmaskmovps(Ymm(x.getIdx()), Ymm(x.getIdx() - 1), from);
  }
  vaddps(sum, sum, x);
}

template <class Vector>
void JitTileKernel<Vector>::EmitStore(const Vector& sum, const TileKernelSpec::Vector& vector) {
  const auto to = ptr[out_ + vector.out];
  if (spec_.parts == 2) {
    const auto second = ptr[out_ + vector.out + spec_.out_pair];
    const Ymm half(sum.getIdx());
    if (vector.masked) {
      vmovups(to | k1, half);
      vextractf32x8(half, Zmm(sum.getIdx()), 1);
      vmovups(second | k1, half);
    } else {
      vmovups(to, half);
      vextractf32x8(second, Zmm(sum.getIdx()), 1);
    }
  } else if (!vector.masked) {
    vmovups(to, sum);
  } else if (kAvx512) {
    vmovups(to | k1, sum);
  } else {
    vmaskmovps(to, Ymm(kMaskRegister), Ymm(sum.getIdx()));
  }
}

template <class Vector>
void JitTileKernel<Vector>::EmitResidual() {
  for (int row = 0; row < spec_.rows; ++row) {
    for (int v = 0; v < vectors(); ++v) EmitAddResidual(Sum(row, v), spec_.vectors[v]);
    add(residual_, static_cast<int>(spec_.residual_stride));
  }
}

template <class Vector>
void JitTileKernel<Vector>::EmitFinish() {
  if (spec_.epilogue.add_residual) EmitResidual();
  activation_.Prepare();
  if (spec_.mask_floats > 0 && !kAvx512) vmovups(Ymm(kMaskRegister), ptr[rip + mask_]);
  for (int row = 0; row < spec_.rows; ++row) {
    for (int v = 0; v < vectors(); ++v) {
      activation_.Apply(Sum(row, v));
      EmitStore(Sum(row, v), spec_.vectors[v]);
    }
    add(out_, static_cast<int>(spec_.out_stride));
  }
}

template <class Vector>
void JitTileKernel<Vector>::EmitSpill(bool store) {
  for (int i = 0; i < accumulators_; ++i) {
    const auto at = ptr[spill_ + i * kVectorBytes];
    if (store) {
      vmovups(at, Vector(i));
    } else {
      vmovups(Vector(i), at);
    }
  }
}

template <class Vector>
void JitTileKernel<Vector>::EmitPrefetches() {
  for (int i = 0; i < spec_.in_prefetches; ++i) {
    movsxd(rax, dword[in_list_ + 4 * i]);
    prefetcht1(ptr[in_base_ + rax]);
  }
  if (spec_.in_prefetches > 0) add(in_list_, 4 * spec_.in_prefetches);
  if (spec_.out_prefetches == 0) return;
  if (spec_.prefetch_residual) {
    mov(n_, call_);
    mov(n_, ptr[n_ + offsetof(TileCall, residual_prefetch_base)]);
  }
  for (int i = 0; i < spec_.out_prefetches; ++i) {
    movsxd(rax, dword[out_list_ + 4 * i]);
    prefetcht1(ptr[out_base_ + rax]);
    if (spec_.prefetch_residual) prefetcht1(ptr[n_ + rax]);
  }
  add(out_list_, 4 * spec_.out_prefetches);
}

/// Moves [begin, end) of the row group. No weight is in a register between two patterns.
template <class Vector>
void JitTileKernel<Vector>::EmitMoves(int begin, int end) {
  if (begin == end) return;
  mov(n_, moves_);
  for (int i = begin; i < end; ++i) {
    const int at = i * static_cast<int>(sizeof(TileMove));
    const Vector x(accumulators_ + i % (kRegisters - accumulators_));
    movsxd(rax, dword[n_ + at + static_cast<int>(offsetof(TileMove, from))]);
    kmovd(k2, ptr[n_ + at + static_cast<int>(offsetof(TileMove, mask))]);
    const auto from = ptr[move_base_ + rax];
    if (spec_.parts == 1) {
      vmovups(x | k2 | T_z, from);
    } else {  // a load of half a slot does not cross the end of a line
      vmovups(Ymm(x.getIdx()) | k2 | T_z, from);
      kandw(k2, k2, k3);
      vbroadcastf32x8(Zmm(x.getIdx()) | k2, ptr[move_base_ + rax + spec_.move_pair]);
    }
    vmovaps(ptr[move_to_ + n_ * 8 + 64 * i], x);
  }
}

template <class Vector>
void JitTileKernel<Vector>::EmitPattern(int pattern, int index) {
  Label loop;
  Label done;
  movzx(ebx, word[counts_ + 2 * index]);
  test(ebx, ebx);
  jz(done, T_NEAR);
  EmitValuePrefetches(index);
  align(32);
  L(loop);
  EmitColumn(pattern);
  add(offsets_, 2);
  add(values_, 4 * std::popcount(static_cast<unsigned>(pattern)));
  sub(n_, 1);
  jnz(loop, T_NEAR);
  L(done);
}

/// As many lines, far enough ahead for the last cache, as the columns of the pattern use up.
template <class Vector>
void JitTileKernel<Vector>::EmitValuePrefetches(int index) {
  if (spec_.value_prefetches.empty()) return;
  constexpr int kAhead = 2048;  // bytes
  constexpr int kLine = 64;
  const int lines = spec_.value_prefetches[static_cast<size_t>(index)];
  for (int i = 0; i < lines; ++i) prefetcht0(ptr[values_ + kAhead + kLine * i]);
  if (lines > 0) prefetcht0(ptr[offsets_ + kAhead / 4]);
}

template <class Vector>
void JitTileKernel<Vector>::EmitColumn(int pattern) {
  movzx(eax, word[offsets_]);
  if (std::has_single_bit(static_cast<unsigned>(spec_.column_bytes))) {
    shl(column_, std::countr_zero(static_cast<unsigned>(spec_.column_bytes)));
  } else {
    imul(column_, column_, spec_.column_bytes);
  }
  add(column_, in_);
  // What each input vector feeds: pairs of (accumulator, weight of the column).
  std::map<int32_t, std::vector<std::pair<int, int>>> uses;
  int weights = 0;
  for (int bit = 0; bit < spec_.bits(); ++bit) {
    if ((pattern >> bit & 1) == 0) continue;
    for (int v = 0; v < vectors(); ++v) {
      const int32_t in = spec_.vectors[v].in + bit % spec_.taps * spec_.tap_in;
      uses[in].push_back({Sum(bit / spec_.taps, v).getIdx(), weights});
    }
    ++weights;
  }
  const int in_registers = std::min(weights, kRegisters - accumulators_ - (weights > 1 ? 1 : 0));
  for (int i = 0; i < in_registers; ++i) {
    vbroadcastss(Vector(accumulators_ + i), ptr[values_ + 4 * i]);
  }
  const int first = accumulators_ + in_registers;
  int turn = 0;
  for (const auto& [in, pairs] : uses) {
    const int x = weights > 1 ? first + turn++ % (kRegisters - first) : 0;
    EmitUses(pairs, Vector(x), in, in_registers);
  }
}

template <class Vector>
void JitTileKernel<Vector>::EmitUses(const std::vector<std::pair<int, int>>& uses, const Vector& x,
                                     int32_t in, int in_registers) {
  const auto from = ptr[column_ + in];
  if (uses.size() == 1 && uses[0].second < in_registers) {
    vfmadd231ps(Vector(uses[0].first), Vector(accumulators_ + uses[0].second), from);
    return;
  }
  vmovups(x, from);
  for (const auto& [sum, weight] : uses) {
    if (weight < in_registers) {
      vfmadd231ps(Vector(sum), x, Vector(accumulators_ + weight));
    } else {
      vfmadd231ps(Vector(sum), x, ptr_b[values_ + 4 * weight]);
    }
  }
}

template <class Vector>
void JitTileKernel<Vector>::EmitMask() {
  if (spec_.mask_floats == 0 || kAvx512) return;
  align(32);
  L(mask_);
  for (int i = 0; i < 8; ++i) dd(i < spec_.mask_floats ? 0xffffffffU : 0U);
}

}  // namespace

std::unique_ptr<TileKernel> MakeJitTileKernel(const TileKernelSpec& spec, Isa isa) {
  try {
    if (isa == Isa::kAvx512) return std::make_unique<JitTileKernel<Zmm>>(spec);
    return std::make_unique<JitTileKernel<Ymm>>(spec);
  } catch (const Xbyak::Error& error) {
    Fail("sparse convolution", "generating a {}x{} tile: {}", spec.rows, spec.vectors.size(),
         error.what());
  }
}

}  // namespace sparsify

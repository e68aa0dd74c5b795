#include "sparsity/executor/isa.h"

#include <array>
#include <cstdlib>
#include <optional>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

constexpr char kVariable[] = "SPARSIFY_FORCE_ISA";
constexpr std::array kAllIsas = {Isa::kScalar, Isa::kAvx2, Isa::kAvx512};

std::optional<Isa> IsaFromName(std::string_view name) {
  for (Isa isa : kAllIsas) {
    if (name == IsaName(isa)) return isa;
  }
  return std::nullopt;
}

Isa BestIsa() {
  Isa best = Isa::kScalar;
  for (Isa isa : kAllIsas) {
    if (IsaSupported(isa)) best = isa;
  }
  return best;
}

}  // namespace

std::string_view IsaName(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
  }
  return "unknown";
}

bool IsaSupported(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
  return false;
#else
  return isa == Isa::kScalar;
#endif
}

Isa DetectIsa() {
  const char* forced = std::getenv(kVariable);
  if (forced == nullptr || *forced == '\0') return BestIsa();
  const std::optional<Isa> isa = IsaFromName(forced);
  if (!isa) {
    FailUsage(kVariable, "unknown instruction set \"{}\"; known: scalar, avx2, avx512", forced);
  }
  if (!IsaSupported(*isa)) {
    FailUsage(kVariable, "{} is not supported by this processor, which runs {} at best", forced,
              IsaName(BestIsa()));
  }
  return *isa;
}

}  // namespace sparsify

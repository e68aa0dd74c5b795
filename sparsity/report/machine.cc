#include "sparsity/report/machine.h"

#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <fstream>
#include <sstream>
#include <string_view>

#include "sparsity/base/parallel.h"
#include "sparsity/base/processor.h"

namespace sparsify {
namespace {

// Flags worth a mention, as /proc/cpuinfo spells them ("flags" on x86, "Features" on Arm).
constexpr std::string_view kInstructionSets[] = {
    "sse4_2",   "avx",      "f16c",        "fma",      "avx2",        "avx512f",     "avx512bw",
    "avx512vl", "avx512dq", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_tile",
    "amx_int8", "amx_bf16", "asimd",       "asimddp",  "sve",         "sve2"};

std::string Unquoted(std::string text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

std::string InstructionSets() {
  std::istringstream flags(ValueInFile("/proc/cpuinfo", "flags", ':') + ' ' +
                           ValueInFile("/proc/cpuinfo", "Features", ':'));
  std::string known;
  for (std::string flag; flags >> flag;) {
    for (const std::string_view name : kInstructionSets) {
      if (flag == name) known += (known.empty() ? "" : " ") + flag;
    }
  }
  return known.empty() ? "unknown" : known;
}

std::string Memory() {
  struct sysinfo info = {};
  if (sysinfo(&info) != 0) return "unknown";
  return fmt::format("{:.1f} GB",
                     static_cast<double>(info.totalram) * static_cast<double>(info.mem_unit) / 1e9);
}

// The number only: what distributors append may name a site.
std::string Kernel() {
  struct utsname name = {};
  if (uname(&name) != 0) return "unknown";
  const std::string release = name.release;
  return fmt::format("{} {}, {}", name.sysname, release.substr(0, release.find('-')), name.machine);
}

std::string OperatingSystem() {
  const std::string name = Unquoted(ValueInFile("/etc/os-release", "PRETTY_NAME", '='));
  return name.empty() ? "unknown" : name;
}

std::string Compiler() {
#if defined(__clang__)
  return fmt::format("Clang {}.{}.{}, {}", __clang_major__, __clang_minor__, __clang_patchlevel__,
                     SPARSIFY_BUILD_TYPE);
#else
  return fmt::format("GCC {}.{}.{}, {}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__,
                     SPARSIFY_BUILD_TYPE);
#endif
}

}  // namespace

CsvTable MachineTable() {
  return {{"name", "value"},
          {{"processor", ProcessorName()},
           {"processors usable", fmt::format("{}", UsableProcessors())},
           {"threads", fmt::format("{}", Threads())},
           {"instruction sets", InstructionSets()},
           {"memory", Memory()},
           {"operating system", OperatingSystem()},
           {"kernel", Kernel()},
           {"sparsify", SPARSIFY_VERSION},
           {"compiler", Compiler()},
           {"libraries", SPARSIFY_LIBRARY_VERSIONS}}};
}

}  // namespace sparsify

#include "sparsity/report/machine.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>

#include "sparsity/base/parallel.h"

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

// The value of the first "key<blanks><separator>value" line, or "".
std::string ValueIn(const std::string& path, std::string_view key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t at = line.find(separator);
    if (at == std::string::npos) continue;
    const size_t end = line.find_last_not_of(" \t", at == 0 ? 0 : at - 1);
    if (std::string_view(line).substr(0, end + 1) != key) continue;
    const size_t start = line.find_first_not_of(" \t", at + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

std::string InstructionSets() {
  std::istringstream flags(ValueIn("/proc/cpuinfo", "flags", ':') + ' ' +
                           ValueIn("/proc/cpuinfo", "Features", ':'));
  std::string known;
  for (std::string flag; flags >> flag;) {
    for (const std::string_view name : kInstructionSets) {
      if (flag == name) known += (known.empty() ? "" : " ") + flag;
    }
  }
  return known.empty() ? "unknown" : known;
}

int UsableProcessors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
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
  const std::string name = Unquoted(ValueIn("/etc/os-release", "PRETTY_NAME", '='));
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

std::string ProcessorName() {
  for (const std::string_view key : {"model name", "Model", "cpu model"}) {
    if (std::string name = ValueIn("/proc/cpuinfo", key, ':'); !name.empty()) return name;
  }
  return "unknown";
}

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

// What a configuration is refused for before anything is opened: keys that contradict each other,
// and values in the wrong unit.
#pragma once

#include <string_view>

#include "sparsity/base/error.h"
#include "sparsity/base/options_yaml.h"
#include "sparsity/cli/run_config.h"

namespace sparsify {

inline constexpr std::string_view kProgressiveKey = "sparsity.progressive.sparsity_tables";
inline constexpr std::string_view kSchedulerTableKey = "sparsity.scheduler.kwargs.sparsity_table";
inline constexpr std::string_view kKwargsSparsityKey = "sparsity.mask_generator.kwargs.sparsity";

/// Throws usage Errors with the place in the document.
void CheckRunConfig(const RunConfig& config, const OptionsDocument& document);

/// The same of the `benchmark:` section alone: lists that are empty or name a value twice.
void CheckBenchmark(const BenchmarkOptions& options, const OptionsDocument& document);

/// Runs `body`; an Error of it gets the place of `key` in front.
template <class Body>
auto WithPlace(const OptionsDocument& document, std::string_view key, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Error(ErrorKind::kUsage, fmt::format("{}: {}", document.Where(key), error.what()));
  }
}

}  // namespace sparsify

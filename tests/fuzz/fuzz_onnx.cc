// Feeds arbitrary bytes to the ONNX importer. Only Error may leave it, and what loads is a
// well-formed graph.
#include <cstddef>
#include <cstdint>
#include <optional>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/io/onnx.h"

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  sparsify::SetLogLevel(sparsify::LogLevel::kWarning);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::optional<sparsify::Graph> graph;
  try {
    graph = sparsify::ParseOnnx(data, static_cast<int64_t>(size), "fuzz");
  } catch (const sparsify::Error&) {
    return 0;
  }
  graph->SortAndCheck();  // an Error here is a finding
  return 0;
}

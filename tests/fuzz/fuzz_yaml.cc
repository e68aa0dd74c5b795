// Feeds arbitrary text to the configuration reader, as a file and as an assignment. Only
// Error may leave it, and options that were read resolve to YAML that reads back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sparsity/base/error.h"
#include "sparsity/base/options_print.h"
#include "sparsity/base/options_yaml.h"
#include "tests/base/options_sample.h"

namespace {

void CheckRoundTrip(sparsify::SampleOptions& options) {
  const std::string text = sparsify::ResolvedYaml(sparsify::Fields(options));
  sparsify::SampleOptions copy;
  sparsify::OptionsDocument::FromText(text, "resolved").Read(copy);
  if (sparsify::ResolvedYaml(sparsify::Fields(copy)) != text) std::abort();
}

template <class Body>
void IgnoringErrors(Body body) {
  try {
    body();
  } catch (const sparsify::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  sparsify::SampleOptions options;
  bool is_read = false;
  IgnoringErrors([&] {
    sparsify::OptionsDocument::FromText(text, "fuzz").Read(options);
    is_read = true;
  });
  if (is_read) CheckRoundTrip(options);
  IgnoringErrors([&] {
    auto document = sparsify::OptionsDocument::FromText("inner: {rounds: 2}\n", "fuzz");
    document.Set(text);
    document.Read(options);
  });
  return 0;
}

#include "sparsity/data/checkpoint_transform.h"

#include "sparsity/base/error.h"
#include "sparsity/base/options_yaml.h"

namespace sparsify {

std::optional<TransformOptions> TransformOf(const Checkpoint& checkpoint, const std::string& path) {
  constexpr std::string_view kKey = "data.transform";
  try {
    const OptionsDocument document =
        OptionsDocument::FromText(checkpoint.configuration, path + ":/configuration");
    if (!document.Has(kKey)) return std::nullopt;
    TransformOptions options;
    document.ReadAt(kKey, options);
    return options;
  } catch (const Error& error) {
    // A fault of the file, not of how the program was called.
    throw Error(ErrorKind::kRun, error.what());
  }
}

}  // namespace sparsify

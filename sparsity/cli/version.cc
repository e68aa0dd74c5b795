#include "sparsity/cli/version.h"

namespace sparsify {

std::string_view Version() { return SPARSIFY_VERSION; }

}  // namespace sparsify

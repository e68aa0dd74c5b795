#include <algorithm>

#include "sparsity/allocation/allocation.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

void CheckNames(const std::vector<Layer>& layers, const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const Layer& layer : layers) known.push_back(layer.name);
  for (const std::string& name : names) {
    if (FindLayer(layers, name) >= 0) continue;
    FailUsage("no_prune_layer", "the network has no layer \"{}\"{}; it has {} prunable layers",
              name, DidYouMean(name, known), layers.size());
  }
}

void WarnUnmatched(const std::vector<Layer>& layers, const std::vector<std::string>& keywords) {
  for (const std::string& keyword : keywords) {
    const bool found = std::any_of(layers.begin(), layers.end(), [&](const Layer& layer) {
      return layer.name.find(keyword) != std::string::npos;
    });
    if (!found) Warn("no_prune_keyword: no layer's name contains \"{}\"", keyword);
  }
}

}  // namespace

std::vector<std::string> SelectLayers(const std::vector<Layer>& layers,
                                      const LayerSelectionOptions& options) {
  const std::vector<std::string> keywords = SplitCommaList(options.no_prune_keyword);
  const std::vector<std::string> names = SplitCommaList(options.no_prune_layer);
  CheckNames(layers, names);
  WarnUnmatched(layers, keywords);
  std::vector<std::string> skipped;
  for (const Layer& layer : layers) {
    const auto keyword = std::find_if(
        keywords.begin(), keywords.end(),
        [&](const std::string& word) { return layer.name.find(word) != std::string::npos; });
    std::string reason;
    if (std::find(names.begin(), names.end(), layer.name) != names.end()) {
      reason = "named in no_prune_layer";
    } else if (keyword != keywords.end()) {
      reason = fmt::format("name contains \"{}\" (no_prune_keyword)", *keyword);
    } else if (options.dw_no_prune && layer.is_depthwise) {
      reason = "depthwise (dw_no_prune)";
    }
    skipped.push_back(std::move(reason));
  }
  return skipped;
}

}  // namespace sparsify

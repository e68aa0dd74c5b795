#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schedulers/channel_permutation.h"
#include "sparsity/allocation/csv_rows.h"

namespace sparsify {
namespace {

// plain,permuted,best,efficacy; a dense layer has none.
std::string GainCells(const PermutationGain& gain) {
  if (gain.plain == 0 && gain.best == 0) return "-,-,-,-";
  return fmt::format("{:.6g},{:.6g},{:.6g},{:.4f}", gain.plain, gain.permuted, gain.best,
                     gain.Efficacy());
}

std::string ReasonCell(const std::string& reason) {
  return reason.empty() ? "-" : QuoteCell(reason);
}

}  // namespace

std::string PermutationCsv(const PermutationReport& report) {
  std::string csv =
      "kind,name,channels,plain,permuted,best,efficacy,swaps,escapes,seconds,reason\n";
  for (const ChannelGroup& group : report.groups) {
    csv += fmt::format("group,{},{},{},{},{},{:.3f},{}\n",
                       QuoteCell(fmt::format("{}", fmt::join(group.consumers, "+"))),
                       group.channels, GainCells(group.gain), group.swaps, group.escapes,
                       group.seconds, ReasonCell(group.skipped));
  }
  for (const PermutedLayer& layer : report.layers) {
    csv += fmt::format("layer,{},{},{},-,-,-,{}\n", QuoteCell(layer.layer), layer.channels,
                       GainCells(layer.gain), ReasonCell(layer.skipped));
  }
  csv += fmt::format("total,-,-,{},-,-,{:.3f},-\n", GainCells(report.total), report.seconds);
  return csv;
}

}  // namespace sparsify

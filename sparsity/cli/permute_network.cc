#include "sparsity/cli/permute_network.h"

#include <fmt/ranges.h>

#include "schedulers/ampere_scheduler.h"
#include "schedulers/channel_permutation.h"
#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"
#include "sparsity/cli/network.h"
#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

void NoteGains(const PermutationReport& report, int64_t verbosity) {
  if (verbosity >= 1) {
    Note(
        "channel permutation: the masks keep {:.2f} % of what the best of every row would, instead "
        "of {:.2f} %: efficacy {:.1f} %, in {}",
        100 * report.total.permuted / report.total.best,
        100 * report.total.plain / report.total.best, 100 * report.total.Efficacy(),
        FormatSeconds(report.seconds));
  }
  for (const ChannelGroup& group : report.groups) {
    if (verbosity < 2 || group.skipped.empty()) continue;
    Note("channel permutation: the inputs of {} stay in place: {}",
         fmt::join(group.consumers, ", "), group.skipped);
  }
  for (const PermutedLayer& layer : report.layers) {
    if (verbosity < 3) continue;
    Note("channel permutation: {}: efficacy {:.1f} %{}{}", layer.layer, 100 * layer.gain.Efficacy(),
         layer.skipped.empty() ? "" : ": ", layer.skipped);
  }
}

}  // namespace

void PermuteNetwork(PreparedRun& run, const RunFiles& files) {
  const auto* scheduler = dynamic_cast<const AmpereScheduler*>(run.scheduler.get());
  if (scheduler == nullptr || !scheduler->permutes()) return;
  const int64_t verbosity = run.config.sparsity.scheduler.ampere.verbosity;
  StripeSearchOptions search;
  search.seed = static_cast<uint64_t>(run.config.seed);
  const PermutationReport report = PermuteChannels(
      run.model.graph, InferShapes(run.model.graph, UsableBatch(run.model.graph, 1)), run.layers,
      run.skipped, scheduler->calculator().n, scheduler->calculator().m, search,
      "channel permutation");
  NoteGains(report, verbosity);
  if (!report.copied.empty()) {
    Note("channel permutation: parameters that nodes shared became their own: {}",
         fmt::join(report.copied, ", "));
    run.layers = LayersOf(run.model.graph);
  }
  if (run.IsFirst()) WriteFileAtomically(files.Permutation(), PermutationCsv(report));
}

}  // namespace sparsify

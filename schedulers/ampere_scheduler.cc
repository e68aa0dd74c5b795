#include "schedulers/ampere_scheduler.h"

#include <charconv>
#include <optional>

#include "schedulers/channel_permutation.h"
#include "schedulers/masked_rule.h"
#include "sparsity/base/error.h"
#include "sparsity/mask/nm_2d_mask_generator.h"
#include "sparsity/mask/nm_mask_generator.h"

namespace sparsify {
namespace {

constexpr int64_t kOutputMultiple = 8;
constexpr int64_t kInputMultiple = 16;

// Takes `letter` and the digits after it from the front of `text`.
std::optional<int64_t> TakeNumber(std::string_view& text, char letter) {
  if (text.empty() || text.front() != letter) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), value);
  if (error != std::errc() || text[1] == '-') return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

}  // namespace

MaskCalculator ParseMaskCalculator(std::string_view name) {
  std::string_view rest = name;
  const auto m = TakeNumber(rest, 'm');
  const auto n = m ? TakeNumber(rest, 'n') : std::nullopt;
  const bool is_1d = rest == "_1d";
  const bool is_2d = rest == "_2d_greedy" || rest == "_2d_best";
  if (!n || !(is_1d || (is_2d && *m == 4 && *n == 2))) {
    FailUsage("scheduler.kwargs.mask_calculator",
              "\"{}\" is none of m<M>n<N>_1d, m4n2_2d_greedy, m4n2_2d_best", name);
  }
  if (*n < 1 || *n >= *m) {
    FailUsage("scheduler.kwargs.mask_calculator", "\"{}\" keeps {} of every {}; need 1 <= N < M",
              name, *n, *m);
  }
  using Kind = MaskCalculator::Kind;
  return {*m, *n, is_1d ? Kind::k1d : rest == "_2d_best" ? Kind::k2dBest : Kind::k2dGreedy};
}

std::string AmpereSkipReason(const Layer& layer) {
  const int64_t outputs = layer.weight_shape[0];
  const int64_t inputs = layer.weight_shape[1];
  if (outputs % kOutputMultiple != 0) {
    return fmt::format("{} output channels, no multiple of {}", outputs, kOutputMultiple);
  }
  if (inputs % kInputMultiple != 0) {
    return fmt::format("{} input channels{}, no multiple of {}", inputs,
                       layer.groups > 1 ? " a group" : "", kInputMultiple);
  }
  return "";
}

AmpereScheduler::AmpereScheduler(const AmpereOptions& options)
    : options_(options), calculator_(ParseMaskCalculator(options.mask_calculator)) {
  if (permutes()) CheckPermutable(calculator_.n, calculator_.m);
}

std::vector<Stage> AmpereScheduler::Stages(int64_t /*total_iterations*/,
                                           const std::vector<double>& /*levels*/) const {
  return {{1 - static_cast<double>(calculator_.n) / static_cast<double>(calculator_.m), 0}};
}

std::unique_ptr<PruningRule> AmpereScheduler::MakeRule(const RuleContext& context) const {
  RuleContext once = context;
  once.mask_is_static = !options_.allow_recompute_mask;
  return std::make_unique<MaskedRule>(type(), once);
}

std::unique_ptr<MaskGenerator> AmpereScheduler::OwnGenerator() const {
  if (calculator_.kind == MaskCalculator::Kind::k1d) {
    return std::make_unique<NMMaskGenerator>(NMMaskOptions{calculator_.n, calculator_.m});
  }
  const bool best = calculator_.kind == MaskCalculator::Kind::k2dBest;
  return std::make_unique<NM2DMaskGenerator>(NM2DMaskOptions{best ? "best" : "greedy"});
}

}  // namespace sparsify

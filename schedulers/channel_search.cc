#include "schedulers/channel_search.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "schedulers/channel_climb.h"
#include "schedulers/channel_exchange.h"
#include "sparsity/base/random.h"

namespace sparsify {
namespace {

constexpr int64_t kEscapeStripes = 8;   // that an escape takes a column from
constexpr double kLeastEscape = 1e-12;  // share of what is kept that an escape must win

size_t Index(int64_t i) { return static_cast<size_t>(i); }

std::vector<int64_t> InPlace(int64_t count) {
  std::vector<int64_t> order(Index(count));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

// Tries to leave the optimum that `climb` has found; returns the number of escapes tried.
int64_t Escape(const StripeSearchOptions& options, StripeClimb& climb) {
  Random random(options.seed);
  StripeClimb::State best = climb.state();
  const int64_t climbed = climb.work();
  int64_t tried = 0;
  for (; tried < options.escapes && climb.work() - climbed < options.work; ++tried) {
    climb.Perturb(kEscapeStripes, random);
    climb.Climb();
    if (climb.state().Kept() > best.Kept() * (1 + kLeastEscape)) {
      best = climb.state();
    } else {
      climb.Return(best);
    }
  }
  return tried;
}

}  // namespace

MagnitudeColumns::MagnitudeColumns(int64_t rows, int64_t columns)
    : rows_(rows),
      columns_(columns),
      padded_rows_((rows + kRowRun - 1) / kRowRun * kRowRun),
      values_(Index(padded_rows_ * columns), 0.0F) {}

double KeptMagnitude(const MagnitudeColumns& columns, std::span<const int64_t> order, int64_t n) {
  double sum = 0;
  for (size_t first = 0; first + kStripe <= order.size(); first += kStripe) {
    sum += KeptOfStripe(columns, order.data() + first, n);
  }
  return sum;
}

StripeSearchResult SearchStripes(const MagnitudeColumns& columns,
                                 const StripeSearchOptions& options) {
  StripeSearchResult result;
  std::vector<int64_t> given = InPlace(columns.columns());
  StripeClimb climb(columns, given, options.n);
  climb.Climb();
  // Two stripes are searched exhaustively: there is nothing to escape to.
  if (climb.stripes() > 2) result.escapes = Escape(options, climb);
  result.swaps = climb.swaps();
  const bool better = climb.state().Kept() > KeptMagnitude(columns, given, options.n);
  result.order = better ? climb.state().order : std::move(given);
  return result;
}

}  // namespace sparsify

// Stripes of four columns that exchange columns as long as N:4 keeps more for it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "schedulers/channel_exchange.h"
#include "schedulers/channel_search.h"
#include "sparsity/base/random.h"

namespace sparsify {

/// An order of some columns in stripes, and the best exchange between every two of them.
class StripeClimb {
 public:
  /// `order` holds stripe s at 4s; n of every four are kept. Keeps a reference to `columns`.
  StripeClimb(const MagnitudeColumns& columns, std::vector<int64_t> order, int64_t n);

  /// Makes the best exchanges, in rounds in which each stripe takes part once at most, until none
  /// keeps more. The result does not depend on the number of threads. Throws
  /// Error(kInterrupted) after a signal.
  void Climb();

  /// Passes a random column of each of `count` random stripes on to the next of them: no exchange
  /// between two stripes undoes it when there are more than two.
  void Perturb(int64_t count, Random& random);

  /// Where the climb stands.
  struct State {
    std::vector<int64_t> order;       // stripe s at 4s
    std::vector<double> kept;         // by every stripe
    std::vector<Exchange> exchanges;  // of stripes a < b at a·stripes + b

    /// Σ|w| that is kept.
    double Kept() const;
  };
  const State& state() const { return state_; }
  /// Goes back to a state in which a climb ended.
  void Return(const State& state) { state_ = state; }

  int64_t stripes() const { return std::ssize(state_.kept); }
  /// Exchanges made.
  int64_t swaps() const { return swaps_; }
  /// Pairs evaluated, times runs of rows.
  int64_t work() const { return work_; }

 private:
  struct Candidate;

  Exchange& At(int64_t a, int64_t b) {
    return state_.exchanges[static_cast<size_t>(a * stripes() + b)];
  }
  int64_t* Stripe(int64_t s) { return state_.order.data() + s * kStripe; }
  const int64_t* Stripe(int64_t s) const { return state_.order.data() + s * kStripe; }
  void Touch(int64_t stripe);
  void Evaluate();
  Exchange Evaluate(int64_t a, int64_t b) const;
  bool Improve();
  void Apply(int64_t a, int64_t b);

  const MagnitudeColumns& columns_;
  int64_t n_;
  State state_;
  std::vector<bool> touched_;  // by stripe: its exchanges are out of date
  int64_t swaps_ = 0;
  int64_t work_ = 0;
};

/// Σ over rows of the n largest of the four columns of a stripe.
double KeptOfStripe(const MagnitudeColumns& columns, const int64_t* stripe, int64_t n);

}  // namespace sparsify

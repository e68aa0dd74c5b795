#include "schedulers/channel_climb.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "sparsity/base/interrupt.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

// Gains below this share of what the stripes keep are rounding of the vector loops.
constexpr double kLeastGain = 1e-6;
constexpr int64_t kWorkPerTask = 1 << 10;  // pairs × runs of rows

size_t Index(int64_t i) { return static_cast<size_t>(i); }

double SumOfLargest(double a, double b, double c, double d, int64_t n) {
  const double high1 = std::max(a, b);
  const double high2 = std::max(c, d);
  if (n == 1) return std::max(high1, high2);
  if (n == 2) return std::max({a + b, c + d, high1 + high2});
  return high1 + high2 + std::max(std::min(a, b), std::min(c, d));
}

}  // namespace

struct StripeClimb::Candidate {
  double gain;
  int64_t a;
  int64_t b;
  bool operator<(const Candidate& other) const {
    return gain != other.gain ? gain > other.gain : std::pair(a, b) < std::pair(other.a, other.b);
  }
};

double KeptOfStripe(const MagnitudeColumns& columns, const int64_t* stripe, int64_t n) {
  const float* a = columns.Column(stripe[0]);
  const float* b = columns.Column(stripe[1]);
  const float* c = columns.Column(stripe[2]);
  const float* d = columns.Column(stripe[3]);
  double sum = 0;
  for (int64_t r = 0; r < columns.rows(); ++r) sum += SumOfLargest(a[r], b[r], c[r], d[r], n);
  return sum;
}

StripeClimb::StripeClimb(const MagnitudeColumns& columns, std::vector<int64_t> order, int64_t n)
    : columns_(columns), n_(n) {
  state_.order = std::move(order);
  const int64_t stripes = std::ssize(state_.order) / kStripe;
  state_.kept.resize(Index(stripes));
  state_.exchanges.resize(Index(stripes * stripes));
  touched_.resize(Index(stripes));
  for (int64_t s = 0; s < stripes; ++s) Touch(s);
}

double StripeClimb::State::Kept() const { return std::accumulate(kept.begin(), kept.end(), 0.0); }

void StripeClimb::Touch(int64_t stripe) {
  std::sort(Stripe(stripe), Stripe(stripe) + kStripe);
  state_.kept[Index(stripe)] = KeptOfStripe(columns_, Stripe(stripe), n_);
  touched_[Index(stripe)] = true;
}

void StripeClimb::Perturb(int64_t count, Random& random) {
  std::vector<int64_t> chosen = random.Permutation(stripes());
  chosen.resize(Index(std::min(count, stripes())));
  int64_t* before = nullptr;
  for (const int64_t s : chosen) {
    int64_t* column = Stripe(s) + random.Below(kStripe);
    if (before != nullptr) std::swap(*before, *column);
    before = column;
  }
  for (const int64_t s : chosen) Touch(s);
}

Exchange StripeClimb::Evaluate(int64_t a, int64_t b) const {
  std::array<const float*, 2 * kStripe> eight;
  for (size_t i = 0; i < kStripe; ++i) {
    eight[i] = columns_.Column(Stripe(a)[i]);
    eight[kStripe + i] = columns_.Column(Stripe(b)[i]);
  }
  return BestExchange(eight, columns_.padded_rows(), n_);
}

void StripeClimb::Evaluate() {
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t a = 0; a < stripes(); ++a) {
    for (int64_t b = a + 1; b < stripes(); ++b) {
      if (touched_[Index(a)] || touched_[Index(b)]) pairs.emplace_back(a, b);
    }
  }
  touched_.assign(touched_.size(), false);
  const int64_t runs = columns_.padded_rows() / kRowRun;
  const int64_t count = std::ssize(pairs);
  const int64_t per_task = std::max<int64_t>(1, kWorkPerTask / (runs + 1));
  ParallelFor((count + per_task - 1) / per_task, [&](int64_t t) {
    for (int64_t i = t * per_task; i < std::min(count, (t + 1) * per_task); ++i) {
      const auto [a, b] = pairs[Index(i)];
      At(a, b) = Evaluate(a, b);
    }
  });
  work_ += count * runs;
}

bool StripeClimb::Improve() {
  std::vector<Candidate> candidates;
  for (int64_t a = 0; a < stripes(); ++a) {
    for (int64_t b = a + 1; b < stripes(); ++b) {
      const double gain = At(a, b).gain;
      if (gain > kLeastGain * (state_.kept[Index(a)] + state_.kept[Index(b)])) {
        candidates.push_back({gain, a, b});
      }
    }
  }
  std::sort(candidates.begin(), candidates.end());
  for (const Candidate& c : candidates) {
    if (!touched_[Index(c.a)] && !touched_[Index(c.b)]) Apply(c.a, c.b);
  }
  return !candidates.empty();
}

void StripeClimb::Apply(int64_t a, int64_t b) {
  std::array<int64_t, 2 * kStripe> eight;
  std::copy_n(Stripe(a), kStripe, eight.begin());
  std::copy_n(Stripe(b), kStripe, eight.begin() + kStripe);
  const auto& split = Splits()[static_cast<size_t>(At(a, b).split)];
  for (size_t i = 0; i < kStripe; ++i) {
    Stripe(a)[i] = eight[static_cast<size_t>(split[i])];
    Stripe(b)[i] = eight[static_cast<size_t>(split[kStripe + i])];
  }
  Touch(a);
  Touch(b);
  ++swaps_;
}

void StripeClimb::Climb() {
  do {
    ThrowIfInterrupted();
    Evaluate();
  } while (Improve());
}

}  // namespace sparsify

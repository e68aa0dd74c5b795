#include "schedulers/scheduler_options.h"

#include <fmt/ranges.h>

#include "schedulers/acdc_scheduler.h"
#include "schedulers/admm_scheduler.h"
#include "schedulers/amba_level_prune_scheduler.h"
#include "schedulers/ampere_scheduler.h"
#include "schedulers/base_scheduler.h"
#include "schedulers/polynomial_scheduler.h"
#include "schedulers/prob_mask_scheduler.h"
#include "schedulers/rigl_scheduler.h"
#include "schedulers/str_scheduler.h"
#include "sparsity/base/error.h"

namespace sparsify {
namespace {

using Options = SchedulerOptions;

// One row a published type.
struct TypeRow {
  std::string_view type;
  std::string_view help;
  void (*visit)(Options&, OptionVisitor&);
  std::unique_ptr<Scheduler> (*make)(const Options&);
};

template <auto kMember>
void Visit(Options& options, OptionVisitor& v) {
  (options.*kMember).VisitFields(v);
}
template <class Made, auto kMember>
std::unique_ptr<Scheduler> Make(const Options& options) {
  return std::make_unique<Made>(options.*kMember);
}
void NoFields(Options&, OptionVisitor&) {}
std::unique_ptr<Scheduler> MakeBase(const Options&) { return std::make_unique<BaseScheduler>(); }

constexpr TypeRow kTypes[] = {
    {"BaseScheduler", "masks on, nothing changes over time: post training", NoFields, MakeBase},
    {"AmbaLevelPruneScheduler", "training through equal stages of ever sparser levels",
     Visit<&Options::amba_level_prune>, Make<AmbaLevelPruneScheduler, &Options::amba_level_prune>},
    {"AmpereScheduler", "N:M masks once, then training under them", Visit<&Options::ampere>,
     Make<AmpereScheduler, &Options::ampere>},
    {"PolynomialScheduler", "the sparsity grows along a polynomial while training goes on",
     Visit<&Options::polynomial>, Make<PolynomialScheduler, &Options::polynomial>},
    {"RigLScheduler",
     "sparse all the time: small weights go, where the gradient is large some come",
     Visit<&Options::rigl>, Make<RigLScheduler, &Options::rigl>},
    {"ACDCScheduler", "phases of dense and of masked training in turn", Visit<&Options::acdc>,
     Make<ACDCScheduler, &Options::acdc>},
    {"STRScheduler", "every weight tensor learns a soft threshold", Visit<&Options::str>,
     Make<STRScheduler, &Options::str>},
    {"ProbMaskScheduler", "every weight learns the probability that it stays, under a budget",
     Visit<&Options::prob_mask>, Make<ProbMaskScheduler, &Options::prob_mask>},
    {"ADMMScheduler", "a penalty pulls the weights to the sparse set, then masked training",
     Visit<&Options::admm>, Make<ADMMScheduler, &Options::admm>},
};

}  // namespace

void AmbaLevelPruneOptions::VisitFields(OptionVisitor& v) {
  v.Field("total_iters", total_iters, {.min = 1},
          "iterations over all stages; None: the trainer's");
  v.Field("sparsity_table", sparsity_table, {.min = 0, .max = 100},
          "one level a stage, percent, increasing");
  selection.VisitFields(v);
  v.Field("prun_algo", prun_algo, {.min = 0, .max = 1}, "0: uniform, 1: level pruning by energy");
  v.Field("prun_algo_tuning", prun_algo_tuning, {.min = 0},
          "how much less early, high-resolution layers are pruned");
  v.Field("do_sparse_analysis", do_sparse_analysis,
          "True: always analyse; False: reuse the tables in output_dir when they fit");
  v.Field("default_input_shape", default_input_shape, {.min = 1},
          "N,C,H,W that MACs and strides are computed for");
  v.Field("output_dir", output_dir, "folder of the analysis tables");
  v.Field("save_dir", save_dir, "folder of the checkpoints, one a level");
  v.Field("sparse_rate_tolerance", sparse_rate_tolerance, {.min = 0, .max = 1, .min_open = true},
          "accepted distance from the requested network sparsity, fraction");
}

void AmpereOptions::VisitFields(OptionVisitor& v) {
  v.Field("mask_calculator", mask_calculator,
          "m<M>n<N>_1d (m4n2_1d), m4n2_2d_greedy or m4n2_2d_best");
  v.Field("allow_recompute_mask", allow_recompute_mask,
          "keep pruned values aside so that a mask can be recomputed or lifted");
  v.Field("allow_permutation", allow_permutation,
          "permute input channels first, to keep more magnitude");
  v.Field("verbosity", verbosity, {.min = 0, .max = 3}, "0: silent … 3: a line a layer");
}

void PolynomialOptions::VisitFields(OptionVisitor& v) {
  v.Field("initial_sparsity", initial_sparsity, {.min = 0, .max = 1, .max_open = true},
          "fraction pruned when the ramp begins; less where a layer's target is less");
  v.Field("begin", begin, {.min = 0, .max = 1, .max_open = true},
          "where the ramp begins, fraction of the steps");
  v.Field("end", end, {.min = 0, .max = 1, .min_open = true},
          "where the ramp ends and masks stay, fraction of the steps");
  v.Field("frequency", frequency, {.min = 1}, "steps from one making of the masks to the next");
  v.Field("power", power, {.min = 0, .min_open = true}, "of the ramp; 3 is the paper's, 1 linear");
}

void RigLOptions::VisitFields(OptionVisitor& v) {
  v.Field("alpha", alpha, {.min = 0, .max = 1},
          "fraction of the kept weights that change places at first; falls along a cosine");
  v.Field("delta_t", delta_t, {.min = 2}, "steps from one change to the next");
  v.Field("end", end, {.min = 0, .max = 1}, "no change from here on, fraction of the steps");
}

void ACDCOptions::VisitFields(OptionVisitor& v) {
  v.Field("warm_up", warm_up, {.min = 0, .max = 1, .max_open = true},
          "dense training at first, fraction of the steps");
  v.Field("phase", phase, {.min = 0, .max = 1, .min_open = true},
          "one compressed or decompressed phase, fraction of the steps");
  v.Field("last_decompressed", last_decompressed, {.min = 0, .max = 1, .max_open = true},
          "the last dense phase, fraction of the steps");
  v.Field("last_compressed", last_compressed, {.min = 0, .max = 1, .min_open = true},
          "masked training at the end, fraction of the steps");
}

void STROptions::VisitFields(OptionVisitor& v) {
  v.Field("initial", initial, {.min = -1e4, .max = 16},
          "s at first; the threshold is its sigmoid, 0.000045 for -10");
  v.Field("learning_rate", learning_rate, {.min = 0}, "of s, times the network's rate");
  v.Field("decay", decay, {.min = 0}, "weight decay of s, which raises a threshold below 0.5");
  v.Field("steer", steer,
          "True: keep each layer's count between a cubic ramp to its target and the target");
  v.Field("end", end, {.min = 0, .max = 1, .min_open = true},
          "where the target is put in force and masks stay, fraction of the steps");
}

void ProbMaskOptions::VisitFields(OptionVisitor& v) {
  v.Choice("budget", budget, {"network", "layer"},
           "network: one for all layers, which learn their shares; layer: each its own target");
  v.Field("learning_rate", learning_rate, {.min = 0, .min_open = true},
          "Adam's, of the probabilities, at first, falls along a cosine; the paper's 300 epochs: "
          "0.006");
  v.Field("begin", begin, {.min = 0, .max = 1, .max_open = true},
          "where the budget begins to shrink, fraction of the steps");
  v.Field("ramp_end", ramp_end, {.min = 0, .max = 1, .min_open = true},
          "where it reaches the target, fraction of the steps");
  v.Field("end", end, {.min = 0, .max = 1, .min_open = true},
          "where each layer's most probable weights are kept for good, fraction of the steps");
  v.Field("last_temperature", last_temperature, {.min = 0.001, .max = 1},
          "of the relaxed masks at the end; 1 at first");
}

void ADMMOptions::VisitFields(OptionVisitor& v) {
  v.Field("rho", rho, {.min = 0, .min_open = true}, "weight of the penalty");
  v.Field("interval", interval, {.min = 1}, "steps from one dual update to the next");
  v.Field("end", end, {.min = 0, .max = 1, .min_open = true},
          "where masked training begins, fraction of the steps");
}

void SchedulerOptions::VisitFields(OptionVisitor& v) {
  std::vector<OptionVisitor::Variant> variants;
  for (const TypeRow& row : kTypes) {
    variants.push_back(
        {row.type, [this, &row](OptionVisitor& inner) { row.visit(*this, inner); }, row.help});
  }
  v.Typed(type, std::move(variants), "how much and when");
}

std::vector<std::string_view> SchedulerTypes() {
  std::vector<std::string_view> types;
  for (const TypeRow& row : kTypes) types.push_back(row.type);
  return types;
}

std::unique_ptr<Scheduler> MakeScheduler(const SchedulerOptions& options) {
  for (const TypeRow& row : kTypes) {
    if (row.type == options.type) return row.make(options);
  }
  FailUsage("scheduler.type", "unknown \"{}\"; known: {}", options.type,
            fmt::join(SchedulerTypes(), ", "));
}

}  // namespace sparsify

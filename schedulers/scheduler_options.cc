#include "schedulers/scheduler_options.h"

#include <fmt/ranges.h>

#include "schedulers/amba_level_prune_scheduler.h"
#include "schedulers/ampere_scheduler.h"
#include "schedulers/base_scheduler.h"
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

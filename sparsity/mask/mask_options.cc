#include "sparsity/mask/mask_options.h"

#include <fmt/ranges.h>

#include "sparsity/base/error.h"
#include "sparsity/mask/block_mask_generator.h"
#include "sparsity/mask/fpgm_mask_generator.h"
#include "sparsity/mask/nm_2d_mask_generator.h"
#include "sparsity/mask/nm_mask_generator.h"
#include "sparsity/mask/normal_mask_generator.h"
#include "sparsity/mask/nuclear_mask_generator.h"
#include "sparsity/mask/random_mask_generator.h"

namespace sparsify {
namespace {

using Maker = std::unique_ptr<MaskGenerator> (*)(const MaskGeneratorOptions&);

// One row a published type. `make` is null and `missing` says why where it is not built.
struct TypeRow {
  std::string_view type;
  std::string_view help;
  void (*visit)(MaskGeneratorOptions&, OptionVisitor&);
  Maker make;
  std::string_view missing;
};

template <auto kMember>
void Visit(MaskGeneratorOptions& options, OptionVisitor& v) {
  (options.*kMember).VisitFields(v);
}
void NoFields(MaskGeneratorOptions&, OptionVisitor&) {}

template <class Generator, auto kMember>
std::unique_ptr<MaskGenerator> Make(const MaskGeneratorOptions& options) {
  return std::make_unique<Generator>(options.*kMember);
}
template <class Generator>
std::unique_ptr<MaskGenerator> MakePlain(const MaskGeneratorOptions&) {
  return std::make_unique<Generator>();
}

using Options = MaskGeneratorOptions;

constexpr std::string_view kCalibration =
    "it needs activations while masks are made; reconstruction.method: wanda, obs and admm "
    "choose masks so";
constexpr std::string_view kStr =
    "it learns its mask in training; scheduler.type: STRScheduler does";
constexpr std::string_view kProbMask =
    "it learns its mask in training; scheduler.type: ProbMaskScheduler does";
constexpr std::string_view kFcpts =
    "it learns thresholds on images; allocation.type: FCPTS learns the layers' sparsities so";

constexpr TypeRow kTypes[] = {
    {"NormalMaskGenerator", "the smallest magnitudes go, weights or whole filters",
     Visit<&Options::normal>, Make<NormalMaskGenerator, &Options::normal>, ""},
    {"NMMaskGenerator", "n of every m consecutive input channels stay", Visit<&Options::nm>,
     Make<NMMaskGenerator, &Options::nm>, ""},
    {"NM2DMaskGenerator", "2:4 along input and output channels at once, in 4x4 tiles",
     Visit<&Options::nm_2d>, Make<NM2DMaskGenerator, &Options::nm_2d>, ""},
    {"BlockMaskGenerator", "blocks with the least energy go", Visit<&Options::block>,
     Make<BlockMaskGenerator, &Options::block>, ""},
    {"FPGMMaskGenerator", "filters nearest to the other filters go", Visit<&Options::fpgm>,
     Make<FpgmMaskGenerator, &Options::fpgm>, ""},
    {"NuclearMaskGenerator", "filters that carry the least nuclear norm go", NoFields,
     MakePlain<NuclearMaskGenerator>, ""},
    {"RandomMaskGenerator", "seeded uniform choice: the control", NoFields,
     MakePlain<RandomMaskGenerator>, ""},
    {"WandaMaskGenerator", "magnitude times input norm", NoFields, nullptr, kCalibration},
    {"ObsMaskGenerator", "second order (Optimal Brain Surgeon)", NoFields, nullptr, kCalibration},
    {"STRMaskGenerator", "learned threshold per layer", NoFields, nullptr, kStr},
    {"ProbMaskGenerator", "relaxed Bernoulli score per weight", NoFields, nullptr, kProbMask},
    {"FCPTSMaskGenerator", "learned thresholds under a global sparsity", NoFields, nullptr, kFcpts},
};

const TypeRow& FindRow(const std::string& type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row;
  }
  FailUsage("mask_generator.type", "unknown \"{}\"; known: {}", type,
            fmt::join(MaskGeneratorTypes(), ", "));
}

}  // namespace

void NormalMaskOptions::VisitFields(OptionVisitor& v) {
  v.Field("structured", structured, "prune whole output filters instead of single weights");
  v.Choice("func", func, {"p1", "p2"}, "norm that ranks the filters when structured");
  v.Field("row_normalized", row_normalized,
          "divide each magnitude by the rms of its output channel before ranking");
}

void NMMaskOptions::VisitFields(OptionVisitor& v) {
  v.Field("n", n, {.min = 1}, "weights kept in every group; at most m");
  v.Field("m", m, {.min = 2}, "group size along the input channels");
}

void NM2DMaskOptions::VisitFields(OptionVisitor& v) {
  v.Choice("search", search, {"best", "greedy"},
           "best: the most magnitude of all arrangements of a tile; greedy: the largest first");
}

void BlockMaskOptions::VisitFields(OptionVisitor& v) {
  v.Field("block", block, {.min = 1}, "block size, [output channels, input channels]");
}

void FpgmMaskOptions::VisitFields(OptionVisitor& v) {
  v.Choice("distance", distance, {"l1", "l2", "cos"}, "distance between two filters");
}

void MaskGeneratorOptions::VisitFields(OptionVisitor& v) {
  std::vector<OptionVisitor::Variant> variants;
  for (const TypeRow& row : kTypes) {
    variants.push_back({row.type,
                        [this, &row](OptionVisitor& inner) {
                          inner.Field("sparsity", sparsity, {.min = 0, .max = 1},
                                      "fraction to prune, 0.5 = half (a sweep is in percent)");
                          row.visit(*this, inner);
                        },
                        row.help});
  }
  v.Typed(type, std::move(variants), "which weights of a layer go");
}

void FakeSparseOptions::VisitFields(OptionVisitor& v) {
  const auto fields = [this](OptionVisitor& inner) {
    inner.Field("mask_is_static", mask_is_static,
                "keep the first mask instead of recomputing it at every forward pass");
    inner.Field("weight_correction", weight_correction,
                "once, before weights change: restore each output channel's mean and deviation");
  };
  v.Typed(type, {{"FakeSparse", fields, "weight times mask, gradient times mask"}},
          "how a mask acts while weights change");
}

std::vector<std::string_view> MaskGeneratorTypes() {
  std::vector<std::string_view> types;
  for (const TypeRow& row : kTypes) types.push_back(row.type);
  return types;
}

std::string NotBuilt(const MaskGeneratorOptions& options) {
  const TypeRow& row = FindRow(options.type);
  if (row.make != nullptr) return "";
  return fmt::format("{} is not built yet: {}", row.type, row.missing);
}

std::unique_ptr<MaskGenerator> MakeMaskGenerator(const MaskGeneratorOptions& options) {
  const std::string missing = NotBuilt(options);
  if (!missing.empty()) FailUsage("mask_generator.type", "{}", missing);
  return FindRow(options.type).make(options);
}

}  // namespace sparsify

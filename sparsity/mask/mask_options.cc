#include "sparsity/mask/mask_options.h"

#include <fmt/ranges.h>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

// One row a published type. `missing` is empty where the generator is built.
struct TypeRow {
  std::string_view type;
  std::string_view help;
  void (*visit)(MaskGeneratorOptions&, OptionVisitor&);
  std::string_view missing;
};

void NoFields(MaskGeneratorOptions&, OptionVisitor&) {}

constexpr std::string_view kNeedsCalibration = "it needs calibration data inside mask generation";
constexpr std::string_view kNeedsTraining = "it learns its mask during training";

constexpr TypeRow kTypes[] = {
    {"NormalMaskGenerator", "the smallest magnitudes go, weights or whole filters",
     [](MaskGeneratorOptions& o, OptionVisitor& v) { o.normal.VisitFields(v); }, ""},
    {"NMMaskGenerator", "n of every m consecutive input channels stay",
     [](MaskGeneratorOptions& o, OptionVisitor& v) { o.nm.VisitFields(v); }, ""},
    {"BlockMaskGenerator", "blocks with the least energy go",
     [](MaskGeneratorOptions& o, OptionVisitor& v) { o.block.VisitFields(v); }, ""},
    {"FPGMMaskGenerator", "filters nearest to the other filters go",
     [](MaskGeneratorOptions& o, OptionVisitor& v) { o.fpgm.VisitFields(v); }, ""},
    {"NuclearMaskGenerator", "filters that carry the least nuclear norm go", NoFields, ""},
    {"RandomMaskGenerator", "seeded uniform choice: the control", NoFields, ""},
    {"WandaMaskGenerator", "magnitude times input norm", NoFields, kNeedsCalibration},
    {"ObsMaskGenerator", "second order (Optimal Brain Surgeon)", NoFields, kNeedsCalibration},
    {"STRMaskGenerator", "learned threshold per layer", NoFields, kNeedsTraining},
    {"ProbMaskGenerator", "relaxed Bernoulli score per weight", NoFields, kNeedsTraining},
    {"FCPTSMaskGenerator", "learned thresholds under a global sparsity", NoFields, kNeedsTraining},
};

}  // namespace

void NormalMaskOptions::VisitFields(OptionVisitor& v) {
  v.Field("structured", structured, "prune whole output filters instead of single weights");
  v.Choice("func", func, {"p1", "p2"}, "norm that ranks the filters when structured");
}

void NMMaskOptions::VisitFields(OptionVisitor& v) {
  v.Field("n", n, {.min = 1}, "weights kept in every group; at most m");
  v.Field("m", m, {.min = 2}, "group size along the input channels");
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
  for (const TypeRow& row : kTypes) {
    if (row.type != options.type) continue;
    if (row.missing.empty()) return "";
    return fmt::format("{} is not built yet: {}", row.type, row.missing);
  }
  FailUsage("mask_generator.type", "unknown \"{}\"; known: {}", options.type,
            fmt::join(MaskGeneratorTypes(), ", "));
}

}  // namespace sparsify

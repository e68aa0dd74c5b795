// The `mask_generator:` and `fake_sparse:` sections: type and `kwargs:`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sparsity/base/options.h"
#include "sparsity/mask/mask_generator.h"

namespace sparsify {

/// NormalMaskGenerator: magnitude, weight by weight or whole output filters.
struct NormalMaskOptions {
  bool structured = false;
  std::string func = "p1";      // structured: norm that ranks the filters, p1 or p2
  bool row_normalized = false;  // unstructured: rank |w| / rms of its output channel

  void VisitFields(OptionVisitor& v);
};

/// NMMaskGenerator: n kept of every m consecutive input channels, 1 <= n <= m.
struct NMMaskOptions {
  int64_t n = 2;
  int64_t m = 4;

  void VisitFields(OptionVisitor& v);
};

/// NM2DMaskGenerator: 2:4 along input and output channels at once.
struct NM2DMaskOptions {
  std::string search = "best";  // best, greedy

  void VisitFields(OptionVisitor& v);
};

/// BlockMaskGenerator: blocks over output channels × input channels.
struct BlockMaskOptions {
  std::vector<int64_t> block = {1, 4};  // {output channels, input channels}

  void VisitFields(OptionVisitor& v);
};

/// FPGMMaskGenerator: distance between filters.
struct FpgmMaskOptions {
  std::string distance = "l2";  // l1, l2, cos

  void VisitFields(OptionVisitor& v);
};

struct MaskGeneratorOptions {
  std::string type = "NormalMaskGenerator";
  std::optional<double> sparsity;  // kwargs.sparsity, fraction; a sweep's level wins over it
  NormalMaskOptions normal;
  NMMaskOptions nm;
  NM2DMaskOptions nm_2d;
  BlockMaskOptions block;
  FpgmMaskOptions fpgm;

  void VisitFields(OptionVisitor& v);
};

/// The `fake_sparse:` section (fake_sparse.h).
struct FakeSparseOptions {
  std::string type = "FakeSparse";
  bool mask_is_static = false;
  bool weight_correction = false;

  void VisitFields(OptionVisitor& v);
};

/// Every published type name, in the order of the table.
std::vector<std::string_view> MaskGeneratorTypes();

/// Empty when this build has the generator, else a sentence that says what is missing.
/// Throws a usage Error for an unknown type, naming the known ones.
std::string NotBuilt(const MaskGeneratorOptions& options);

/// The generator of the options' type. Throws a usage Error for an unknown type, for one
/// that is not built yet, and for kwargs that make no pattern.
std::unique_ptr<MaskGenerator> MakeMaskGenerator(const MaskGeneratorOptions& options);

}  // namespace sparsify

#include "sparsity/executor/activation.h"

#include <limits>

namespace sparsify {

std::string_view ActivationName(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::kNone:
      return "";
    case ActivationKind::kRelu:
      return "Relu";
    case ActivationKind::kClip:
      return "Clip";
    case ActivationKind::kHardSigmoid:
      return "HardSigmoid";
    case ActivationKind::kHardSwish:
      return "HardSwish";
    case ActivationKind::kSigmoid:
      return "Sigmoid";
    case ActivationKind::kSilu:
      return "SiLU";
  }
  return "";
}

std::optional<Activation> ActivationOf(const Node& node) {
  const Attributes& a = node.attributes;
  switch (node.type) {
    case OpType::kRelu:
      return Activation{ActivationKind::kRelu};
    case OpType::kClip:
      return Activation{
          ActivationKind::kClip,
          static_cast<float>(a.Float("min", std::numeric_limits<float>::lowest())),
          static_cast<float>(a.Float("max", std::numeric_limits<float>::max())),
      };
    case OpType::kHardSigmoid:
      return Activation{ActivationKind::kHardSigmoid, static_cast<float>(a.Float("alpha", 0.2)),
                        static_cast<float>(a.Float("beta", 0.5))};
    case OpType::kHardSwish:
      return Activation{ActivationKind::kHardSwish};
    case OpType::kSigmoid:
      return Activation{ActivationKind::kSigmoid};
    case OpType::kSiLU:
      return Activation{ActivationKind::kSilu};
    default:
      return std::nullopt;
  }
}

}  // namespace sparsify

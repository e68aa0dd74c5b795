#include "sparsity/allocation/energy_curves.h"

#include "sparsity/base/interrupt.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

double LostShare(const Tensor& weight, const Mask& mask) {
  double all = 0;
  double lost = 0;
  for (int64_t i = 0; i < weight.size(); ++i) {
    const double square = double{weight[i]} * weight[i];
    all += square;
    if (!mask[i]) lost += square;
  }
  return all > 0 ? lost / all : 0;
}

}  // namespace

std::vector<SensitivityCurve> EnergyCurves(const Graph& graph, const std::vector<Layer>& layers,
                                           const std::vector<std::string>& skipped,
                                           const MaskGenerator& generator,
                                           const std::vector<double>& levels, uint64_t seed) {
  std::vector<SensitivityCurve> curves(layers.size());
  ParallelFor(static_cast<int64_t>(layers.size()), [&](int64_t i) {
    ThrowIfInterrupted();
    const auto at = static_cast<size_t>(i);
    if (!skipped[at].empty()) return;
    const Layer& layer = layers[at];
    const Tensor& weight = graph.value(layer.weight).data;
    SensitivityCurve& curve = curves[at];
    curve = {layer.name, layer.parameters, layer.macs, {}, {}};
    for (const double level : levels) {
      const Mask mask = generator.Generate(weight, level, {layer.name, layer.groups, seed, at});
      const double sparsity = mask.Sparsity();
      if (sparsity <= (curve.sparsity.empty() ? 0 : curve.sparsity.back())) continue;
      curve.sparsity.push_back(sparsity);
      curve.loss.push_back(LostShare(weight, mask));
    }
    if (curve.sparsity.empty()) {
      curve.sparsity = {0};
      curve.loss = {0};
    }
  });
  std::erase_if(curves, [](const SensitivityCurve& curve) { return curve.layer.empty(); });
  return curves;
}

}  // namespace sparsify

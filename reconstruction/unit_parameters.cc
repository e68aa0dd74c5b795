#include "reconstruction/unit_parameters.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/mask/fake_sparse.h"

namespace sparsify {
namespace {

// Root mean square of each output channel's kept weights; where a channel keeps only zeros,
// that of all kept weights.
std::vector<float> RowRms(const Tensor& weight, const Mask* mask) {
  const int64_t rows = weight.shape()[0];
  const int64_t length = weight.size() / rows;
  std::vector<float> result;
  double all = 0;
  int64_t all_count = 0;
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = r * length; i < (r + 1) * length; ++i) {
      if (mask != nullptr && !(*mask)[i]) continue;
      sum += double{weight[i]} * weight[i];
      ++count;
    }
    all += sum;
    all_count += count;
    result.push_back(
        static_cast<float>(std::sqrt(sum / static_cast<double>(std::max<int64_t>(1, count)))));
  }
  const double rms = std::sqrt(all / static_cast<double>(std::max<int64_t>(1, all_count)));
  for (float& value : result) {
    if (value == 0) value = static_cast<float>(rms);
  }
  return result;
}

// The student's weight with what was pruned as the teacher has it.
Tensor Latent(const Tensor& sparse, const Tensor& dense, const Mask& mask) {
  Tensor latent = sparse;
  for (int64_t i = 0; i < mask.size(); ++i) {
    if (!mask[i]) latent[i] = dense[i];
  }
  return latent;
}

}  // namespace

UnitParameters::UnitParameters(Graph& student, const Graph& teacher,
                               const std::vector<Layer>& layers, const Unit& unit,
                               std::map<std::string, Mask>& masks, const UnitRepairOptions& options)
    : student_(student), teacher_(teacher), unit_(unit), masks_(masks), options_(options) {
  const auto leave = [this](const Layer& layer, const char* reason) {
    remark_ += fmt::format("{}{} {}", remark_.empty() ? "" : "; ", layer.name, reason);
  };
  for (const int index : unit.layers) {
    const Layer& layer = layers[static_cast<size_t>(index)];
    const auto mask = masks.find(student.value(layer.weight).name);
    if (ReadOutside(layer.weight)) {
      leave(layer, "stays: other units read its weight");
      continue;
    }
    if (options.mask_is_static && mask != masks.end() && mask->second.CountKept() == 0) {
      leave(layer, "has no weight left");
    } else {
      AddWeight(layer, teacher.node(layer.node).inputs[1]);
    }
    AddBias(layer);
  }
}

bool UnitParameters::ReadOutside(ValueId id) const {
  const auto readers = student_.Consumers(id);
  return std::any_of(readers.begin(), readers.end(), [&](int node) {
    return !std::binary_search(unit_.nodes.begin(), unit_.nodes.end(), node);
  });
}

void UnitParameters::AddWeight(const Layer& layer, ValueId dense) {
  const sparsify::Value& value = student_.value(layer.weight);
  const auto mask = masks_.find(value.name);
  Trained trained{layer.weight,
                  mask == masks_.end() ? nullptr : &mask->second,
                  options_.weight_lr,
                  {},
                  {},
                  Adam(value.data.size())};
  if (options_.lr_scale == LrScale::kRowRms) trained.scales = RowRms(value.data, trained.mask);
  if (trained.mask != nullptr && (!options_.mask_is_static || options_.weight_correction)) {
    trained.latent = Latent(value.data, teacher_.value(dense).data, *trained.mask);
  }
  trained_.push_back(std::move(trained));
  gradients_[layer.weight] = Tensor(value.data.shape());
}

void UnitParameters::AddBias(const Layer& layer) {
  if (!options_.bias_lr || layer.bias == kNoValue) return;
  const sparsify::Value& value = student_.value(layer.bias);
  if (!value.is_parameter || gradients_.contains(layer.bias) || ReadOutside(layer.bias)) return;
  trained_.push_back({layer.bias, nullptr, *options_.bias_lr, {}, {}, Adam(value.data.size())});
  gradients_[layer.bias] = Tensor(value.data.shape());
}

Tensor& UnitParameters::Value(const Trained& trained) const {
  return student_.mutable_value(trained.id).data;
}

void UnitParameters::CorrectWeights() {
  for (Trained& trained : trained_) {
    if (trained.mask == nullptr) continue;
    CorrectKept(*trained.mask, trained.latent);
    Value(trained) = trained.latent;
    ApplyMask(*trained.mask, Value(trained));
    if (options_.mask_is_static) trained.latent = Tensor();
  }
}

void UnitParameters::Show() {
  if (options_.mask_is_static) return;
  for (Trained& trained : trained_) {
    if (trained.mask == nullptr) continue;
    Mask made = options_.remake_mask(student_.value(trained.id).name, trained.latent);
    if (made.shape() != trained.latent.shape()) {
      Fail(student_.value(trained.id).name, "the mask made anew has shape {}, the weight {}",
           made.shape().ToString(), trained.latent.shape().ToString());
    }
    *trained.mask = std::move(made);
    Value(trained) = trained.latent;
    ApplyMask(*trained.mask, Value(trained));
  }
}

void UnitParameters::Step(double factor) {
  for (Trained& trained : trained_) {
    Tensor& gradient = gradients_.at(trained.id);
    if (trained.mask != nullptr) ApplyMask(*trained.mask, gradient);
    Tensor& target = trained.latent.empty() ? Value(trained) : trained.latent;
    trained.adam.Step(gradient, factor * trained.rate, trained.scales, target);
  }
  Show();
}

UnitParameters::Snapshot UnitParameters::Save() const {
  Snapshot snapshot;
  for (const int node : unit_.nodes) {
    for (const ValueId id : student_.node(node).inputs) {
      if (id == kNoValue || !student_.value(id).is_parameter) continue;
      snapshot.values.try_emplace(id, student_.value(id).data);
    }
  }
  for (const Trained& trained : trained_) {
    if (trained.mask != nullptr) snapshot.masks[student_.value(trained.id).name] = *trained.mask;
  }
  return snapshot;
}

void UnitParameters::Restore(const Snapshot& snapshot) {
  for (const auto& [id, tensor] : snapshot.values) student_.mutable_value(id).data = tensor;
  for (const auto& [name, mask] : snapshot.masks) masks_.at(name) = mask;
}

}  // namespace sparsify

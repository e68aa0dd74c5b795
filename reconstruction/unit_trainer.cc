#include "reconstruction/unit_trainer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "reconstruction/unit_objective.h"
#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"

namespace sparsify {
namespace {

// Looks at the images held back so many times within `patience` steps.
constexpr int64_t kLooks = 10;

}  // namespace

UnitTrainer::UnitTrainer(const Graph& student, const Unit& unit, UnitData data,
                         const ImageBlocks& blocks, UnitParameters& parameters,
                         const UnitRepairOptions& options, const Random& random)
    : unit_(unit),
      data_(std::move(data)),
      blocks_(blocks),
      parameters_(parameters),
      options_(options),
      random_(random),
      pass_(PassOver(student, unit)) {
  for (const auto& [id, store] : data_.targets) {
    gradient_pointers_.emplace(id, &output_gradients_[id]);
  }
}

void UnitTrainer::FetchBlock(int64_t k) {
  for (const auto& [id, store] : data_.inputs) inputs_[id] = &store->Block(k, buffers_[id]);
  for (const auto& [id, store] : data_.targets) targets_[id] = &store->Block(k, buffers_[id]);
}

void UnitTrainer::FetchImages(const std::vector<int64_t>& images) {
  const auto fetch = [&](const auto& stores, auto& pointers) {
    for (const auto& [id, store] : stores) {
      store->Gather(images, buffers_[id]);
      pointers[id] = &buffers_[id];
    }
  };
  fetch(data_.inputs, inputs_);
  fetch(data_.targets, targets_);
}

// Published: one of the cached batches. Mixed: the next images of a shuffled order.
void UnitTrainer::Draw() {
  if (!options_.mix_batches) {
    const auto batches = static_cast<uint64_t>(blocks_.count() - blocks_.held_blocks);
    FetchBlock(blocks_.held_blocks + static_cast<int64_t>(random_.Below(batches)));
    return;
  }
  const int64_t count = blocks_.images() - blocks_.held_images();
  std::vector<int64_t> images;
  while (std::ssize(images) < std::min(options_.batch, count)) {
    if (next_ == order_.size()) {
      order_ = random_.Permutation(count);
      next_ = 0;
    }
    images.push_back(blocks_.held_images() + order_[next_++]);
  }
  std::sort(images.begin(), images.end());
  FetchImages(images);
}

double UnitTrainer::LossOfOutputs(bool with_gradient) {
  double loss = 0;
  for (const auto& [id, target] : targets_) {
    Tensor* gradient = with_gradient ? &output_gradients_[id] : nullptr;
    loss += SquaredError(pass_.Output(id), *target, gradient);
  }
  return loss;
}

void UnitTrainer::CheckFinite(double loss) const {
  if (std::isfinite(loss)) return;
  const char* what = std::isnan(loss) ? "not a number" : "infinite";
  if (steps_ == 0) {
    Fail(unit_.name,
         "the loss is {} before the first step; its inputs, its weights or the dense network's "
         "outputs are not finite: check the network and the calibration images",
         what);
  }
  Fail(unit_.name, "the loss is {} at step {}; lower weight_lr ({:g}){}", what, steps_ + 1,
       options_.weight_lr,
       options_.bias_lr ? fmt::format(" or bias_lr ({:g})", *options_.bias_lr) : "");
}

double UnitTrainer::Measure() {
  const int64_t blocks = blocks_.held_blocks > 0 ? blocks_.held_blocks : blocks_.count();
  std::map<ValueId, ChannelMoments> moments;
  double sum = 0;
  int64_t images = 0;
  for (int64_t k = 0; k < blocks; ++k) {
    ThrowIfInterrupted();
    FetchBlock(k);
    pass_.Forward(inputs_, {});
    sum += LossOfOutputs(/*with_gradient=*/false) * static_cast<double>(blocks_.size(k));
    images += blocks_.size(k);
    for (const auto& [id, target] : targets_) {
      if (!measured_) moments[id].Add(*target);
    }
  }
  for (const auto& [id, moment] : moments) variance_ += moment.SummedVariance();
  return sum / static_cast<double>(images);
}

void UnitTrainer::Consider() {
  const double loss = Measure();
  CheckFinite(loss);
  is_best_ = !measured_ || loss < best_loss_;
  if (!measured_) first_loss_ = loss;
  measured_ = true;
  if (!is_best_) return;
  best_loss_ = loss;
  best_step_ = steps_;
  best_ = parameters_.Save();
}

// Whether the images held back say that it is enough.
bool UnitTrainer::Stalled() {
  if (blocks_.held_blocks == 0 || steps_ == 0) return false;
  const int64_t every = std::max<int64_t>(1, options_.patience / kLooks);
  if (steps_ % every != 0) return false;
  Consider();
  if (steps_ - best_step_ < options_.patience) return false;
  remark_ =
      fmt::format("stopped early at step {}: {} steps without gain on the {} images held back",
                  steps_, steps_ - best_step_, blocks_.held_images());
  return true;
}

// One step, or false where the loss is small enough without it.
bool UnitTrainer::Step(double factor) {
  Draw();
  pass_.Forward(inputs_, {});
  const double loss = LossOfOutputs(/*with_gradient=*/true);
  CheckFinite(loss);
  if (loss < options_.early_stop) {
    remark_ = fmt::format("stopped early at step {}: loss {:.3g} is below early_stop {:g}", steps_,
                          loss, options_.early_stop);
    return false;
  }
  pass_.Backward(gradient_pointers_, parameters_.gradients());
  parameters_.Step(factor);
  is_best_ = false;
  ++steps_;
  return true;
}

void UnitTrainer::Run(Progress* progress) {
  while (steps_ < options_.max_count && !Stalled()) {
    ThrowIfInterrupted();
    if (!Step(LrFactor(options_.lr_schedule, steps_, options_.max_count))) break;
    if (progress != nullptr) progress->Advance();
  }
  if (progress != nullptr) progress->Advance(options_.max_count - steps_);
}

void UnitTrainer::Finish() {
  if (!is_best_) Consider();
  if (is_best_) return;
  parameters_.Restore(best_);
  is_best_ = true;
  if (remark_.empty()) {
    remark_ = fmt::format("no gain in the last {} steps", steps_ - best_step_);
  }
  remark_ += fmt::format("; the weights of step {} are kept", best_step_);
}

void UnitTrainer::ForEachTrainingBlock(const std::function<void(const GraphPass&)>& body) {
  for (int64_t k = blocks_.held_blocks; k < blocks_.count(); ++k) {
    ThrowIfInterrupted();
    FetchBlock(k);
    pass_.Forward(inputs_, {});
    body(pass_);
  }
}

}  // namespace sparsify

#include "sparsity/cli/training_events.h"

namespace sparsify {
namespace {

std::vector<Scalar> ScalarsOf(const TrainingRow& row) {
  return {{"training/loss", row.loss},
          {"training/top1", row.top1},
          {"training/learning_rate", row.learning_rate},
          {"training/mask_sparsity", row.sparsity},
          {"training/images_per_second", row.images_per_second}};
}

}  // namespace

void TrainingEvents::Show(const std::vector<TrainingRow>& rows) {
  if (!file_) {
    if (HasEventFiles(folder_)) written_ = rows.size() - 1;
    file_.emplace(folder_, written_ == 0 ? 0 : rows[written_ - 1].step + 1);
  }
  for (; written_ < rows.size(); ++written_) {
    file_->Write(rows[written_].step, ScalarsOf(rows[written_]));
  }
}

}  // namespace sparsify

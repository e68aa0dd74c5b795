// Classifier: a sparse network that scores pictures.
#pragma once

#include <algorithm>
#include <string>

#include "sparsity/data/image_decoder.h"
#include "sparsity/data/transform.h"
#include "sparsity/executor/plan.h"
#include "sparsity/io/checkpoint.h"
#include "sparsity/tensor/tensor.h"

class Classifier {
 public:
  Classifier(const sparsify::Checkpoint& model, const sparsify::TransformOptions& transform,
             const sparsify::PlanOptions& options)
      : plan_(model.graph, options),
        images_(plan_.input_shapes().at(0)),  // batch × channels × height × width
        scores_(plan_.output_shapes().at(0)),
        transform_(transform, images_.shape().Without(0), "transform") {}

  // Puts the picture in every place of the batch.
  void Show(const std::string& path) {
    transform_.Apply(sparsify::ReadImage(path), path, images_.data());
    for (int64_t i = transform_.pixel_count(); i < images_.size(); ++i) {
      images_[i] = images_[i - transform_.pixel_count()];
    }
  }
  void Run() { plan_.Run({images_.data()}, {scores_.data()}); }

  const sparsify::Tensor& scores() const { return scores_; }  // batch × classes
  const sparsify::PlanReport& report() const { return plan_.report(); }

 private:
  sparsify::Plan plan_;
  sparsify::Tensor images_;
  sparsify::Tensor scores_;
  sparsify::Transform transform_;
};

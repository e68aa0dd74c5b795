#include "sparsity/data/dataset.h"

#include <algorithm>
#include <numeric>

#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

Shape BatchShape(const Dataset& dataset, int64_t count) {
  std::vector<int64_t> dims = dataset.image_shape().dims();
  dims.insert(dims.begin(), count);
  return Shape(dims);
}

// Moves the rows that were loaded to the front, in order, and drops the others.
void Compact(const std::vector<char>& loaded, int64_t image_size, Batch& batch) {
  size_t kept = 0;
  for (size_t row = 0; row < loaded.size(); ++row) {
    if (!loaded[row]) continue;
    if (kept != row) {
      std::copy_n(batch.images.data() + static_cast<int64_t>(row) * image_size, image_size,
                  batch.images.data() + static_cast<int64_t>(kept) * image_size);
      batch.labels[kept] = batch.labels[row];
      batch.indices[kept] = batch.indices[row];
    }
    ++kept;
  }
  batch.labels.resize(kept);
  batch.indices.resize(kept);
}

// Loads row r of `batch` with load(r, image), in parallel.
template <class Load>
void LoadRows(const Dataset& dataset, const std::vector<int64_t>& indices, Batch& batch,
              const Load& load) {
  for (const int64_t i : indices) {
    if (i < 0 || i >= dataset.size()) {
      Fail("dataset", "sample {} asked for, {} samples exist", i, dataset.size());
    }
  }
  const auto count = static_cast<int64_t>(indices.size());
  const int64_t image_size = dataset.image_shape().NumElements();
  batch.images.Resize(BatchShape(dataset, count));
  batch.labels.assign(indices.size(), -1);
  batch.indices = indices;
  std::vector<char> loaded(indices.size(), 1);
  ParallelFor(count, [&](int64_t row) {
    const auto r = static_cast<size_t>(row);
    try {
      batch.labels[r] = load(r, batch.images.data() + row * image_size);
    } catch (const SampleSkipped&) {
      loaded[r] = 0;
    }
  });
  if (std::find(loaded.begin(), loaded.end(), 0) == loaded.end()) return;
  Compact(loaded, image_size, batch);
  batch.images.Resize(BatchShape(dataset, static_cast<int64_t>(batch.labels.size())));
}

}  // namespace

int64_t Dataset::LoadView(int64_t i, const View& view, float* image) const {
  std::vector<float> whole(static_cast<size_t>(image_shape().NumElements()));
  const int64_t label = Load(i, whole.data());
  ApplyView(view, image_shape(), whole.data(), image);
  return label;
}

void LoadBatch(const Dataset& dataset, int64_t begin, int64_t end, Batch& batch) {
  std::vector<int64_t> indices(static_cast<size_t>(std::max<int64_t>(0, end - begin)));
  std::iota(indices.begin(), indices.end(), begin);
  LoadBatch(dataset, indices, batch);
}

void LoadBatch(const Dataset& dataset, const std::vector<int64_t>& indices, Batch& batch) {
  LoadRows(dataset, indices, batch,
           [&](size_t row, float* image) { return dataset.Load(indices[row], image); });
}

void LoadBatch(const Dataset& dataset, const std::vector<int64_t>& indices,
               const std::vector<View>& views, Batch& batch) {
  if (views.size() != indices.size()) {
    Fail("dataset", "{} views given for {} samples", views.size(), indices.size());
  }
  LoadRows(dataset, indices, batch, [&](size_t row, float* image) {
    return dataset.LoadView(indices[row], views[row], image);
  });
}

}  // namespace sparsify

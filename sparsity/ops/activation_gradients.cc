#include "sparsity/ops/activation_gradients.h"

#include <algorithm>
#include <utility>

#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

// body(first, last) for chunks of [0, size).
template <class Body>
void ForChunks(int64_t size, const Body& body) {
  constexpr int64_t kChunk = 1 << 14;
  ParallelFor((size + kChunk - 1) / kChunk,
              [&](int64_t chunk) { body(chunk * kChunk, std::min(size, (chunk + 1) * kChunk)); });
}

void AddTo(Tensor& sum, const Tensor& term) {
  ForChunks(sum.size(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sum[i] += term[i];
  });
}

void Sum(const Tensor& a, const Tensor& b, Tensor& sum) {
  ForChunks(sum.size(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sum[i] = a[i] + b[i];
  });
}

void Copy(const Tensor& from, Tensor& to) {
  ForChunks(to.size(), [&](int64_t begin, int64_t end) {
    std::copy(from.data() + begin, from.data() + end, to.data() + begin);
  });
}

}  // namespace

Tensor ActivationGradients::Take(const Shape& shape) {
  Tensor tensor;
  const auto it = spare_.find(shape.NumElements());
  if (it != spare_.end()) {
    tensor = std::move(it->second);
    spare_.erase(it);
  }
  tensor.Resize(shape);
  return tensor;
}

void ActivationGradients::GiveBack(Tensor tensor) {
  const int64_t size = tensor.size();
  if (size > 0) spare_.emplace(size, std::move(tensor));
}

Tensor& ActivationGradients::Start(ValueId id, const Shape& shape) {
  Entry& entry = At(id);
  if (entry.wanted != nullptr) {
    entry.wanted->Resize(shape);
    entry.view = entry.wanted;
    return *entry.wanted;
  }
  entry.own = std::make_shared<Tensor>(Take(shape));
  entry.view = entry.own.get();
  return *entry.own;
}

void ActivationGradients::Add(ValueId id, const Tensor& term) {
  Entry& entry = At(id);
  if (entry.wanted != nullptr) return AddTo(*entry.wanted, term);
  if (IsExclusive(entry)) return AddTo(*entry.own, term);
  const Entry before = entry;  // keeps its memory
  Sum(*before.view, term, Start(id, before.view->shape()));
}

void ActivationGradients::PassOn(ValueId from, ValueId to, const Shape& shape) {
  const Entry source = At(from);
  Entry& target = At(to);
  if (target.view != nullptr) {
    Add(to, *source.view);
  } else if (target.wanted != nullptr || source.view->shape() != shape) {
    Copy(*source.view, Start(to, shape));
  } else {
    target.own = source.own;
    target.view = source.view;
  }
}

Tensor* ActivationGradients::HandOver(ValueId from, ValueId to) {
  Entry& source = At(from);
  Entry& target = At(to);
  if (!IsExclusive(source) || target.view != nullptr || target.wanted != nullptr) return nullptr;
  target.own = std::move(source.own);
  target.view = target.own.get();
  source.view = nullptr;
  return target.own.get();
}

void ActivationGradients::Drop(ValueId id) {
  Entry& entry = At(id);
  if (IsExclusive(entry)) GiveBack(std::move(*entry.own));
  entry.own.reset();
  entry.view = nullptr;
}

}  // namespace sparsify

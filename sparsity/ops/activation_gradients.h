// The gradients of a backward pass: one tensor a value, in memory that is shared while it may be
// and used again when it is free.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "sparsity/graph/graph.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// Memory of gradients that are done with, by size.
using SpareTensors = std::multimap<int64_t, Tensor>;

class ActivationGradients {
 public:
  /// Of values 0 … count − 1. Memory comes from `spare` and goes back there.
  ActivationGradients(size_t count, SpareTensors& spare) : entries_(count), spare_(spare) {}

  /// The gradient of `id` shall lie in `tensor`.
  void Want(ValueId id, Tensor& tensor) { At(id).wanted = &tensor; }
  /// Begins with the caller's gradient, which is only read and must stay.
  void Lend(ValueId id, const Tensor& gradient) { At(id).view = &gradient; }

  bool Has(ValueId id) const { return Get(id) != nullptr; }
  /// Null if it has none yet.
  const Tensor* Get(ValueId id) const { return entries_[static_cast<size_t>(id)].view; }

  /// The first gradient of `id`, contents undefined.
  Tensor& Start(ValueId id, const Shape& shape);
  /// Adds to the gradient that `id` has.
  void Add(ValueId id, const Tensor& term);
  /// `to`, of `shape` with as many elements, gets the gradient that `from` has, or its share is
  /// added. Memory is shared until something is added to one of them.
  void PassOn(ValueId from, ValueId to, const Shape& shape);
  /// `from` leaves the memory of its gradient to `to`, which has none, if nobody else looks at it.
  /// Null where it cannot be; then nothing has changed.
  Tensor* HandOver(ValueId from, ValueId to);
  /// Nobody needs the gradient of `id` any more.
  void Drop(ValueId id);

  /// Memory for this shape, contents undefined.
  Tensor Take(const Shape& shape);
  void GiveBack(Tensor tensor);

 private:
  struct Entry {
    std::shared_ptr<Tensor> own;   // null: lent or wanted, or nothing yet
    const Tensor* view = nullptr;  // where the gradient is
    Tensor* wanted = nullptr;
  };

  Entry& At(ValueId id) { return entries_[static_cast<size_t>(id)]; }
  static bool IsExclusive(const Entry& entry) { return entry.own && entry.own.use_count() == 1; }

  std::vector<Entry> entries_;
  SpareTensors& spare_;
};

}  // namespace sparsify

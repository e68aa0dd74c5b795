// The door to libhdf5 inside the hdf5_* files: the lock, owned handles, errors.
#pragma once

#include <hdf5.h>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace sparsify::hdf5 {

/// Held around every use of libhdf5, whose serial build is not thread safe. Also keeps
/// libhdf5 from printing its error stack in this thread. May be nested.
class Lock {
 public:
  Lock();

 private:
  std::lock_guard<std::recursive_mutex> guard_;
};

/// An owned identifier; closes it with the function given.
class Id {
 public:
  using Closer = herr_t (*)(hid_t);

  Id() = default;
  Id(hid_t id, Closer close) : id_(id), close_(close) {}
  Id(Id&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Id& operator=(Id&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Id() {
    if (id_ >= 0) close_(id_);
  }

  operator hid_t() const { return id_; }  // NOLINT: stands for the raw identifier in calls
  hid_t Release() { return std::exchange(id_, -1); }

 private:
  hid_t id_ = -1;
  Closer close_ = nullptr;
};

/// The innermost reason on libhdf5's error stack; the system's words where it has some.
std::string Reason();

/// Throws "where: cannot <action>: <reason>".
[[noreturn]] void FailCall(const std::string& where, std::string_view action);

/// Throws when a call reported failure (a negative status).
inline void Check(herr_t status, const std::string& where, std::string_view action) {
  if (status < 0) FailCall(where, action);
}

/// Takes ownership of `id`; throws when it is negative.
inline Id Own(hid_t id, Id::Closer close, const std::string& where, std::string_view action) {
  if (id < 0) FailCall(where, action);
  return {id, close};
}

/// Opens an object step by step, following hard links only. `where` is "file:/object".
Id OpenObject(hid_t file, const std::string& object, const std::string& where);
/// Whether every step of the path is there; throws on a link that is not hard.
bool Exists(hid_t file, const std::string& object, const std::string& where);

/// Creation properties for reproducible files: no times; UTF-8 names.
Id DatasetProperties(const std::string& where);

/// A group's creation with its missing parents.
void MakeGroups(hid_t file, const std::string& object, const std::string& where);
/// "/a/b/c" → "/a/b"; "/a" → "/".
std::string Parent(const std::string& object);

}  // namespace sparsify::hdf5

#include "sparsity/io/hdf5_handle.h"

#include <algorithm>
#include <vector>

#include "sparsity/base/error.h"

namespace sparsify::hdf5 {
namespace {

std::recursive_mutex& Mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

// Attributes up to this number stay in the object's header, which is smaller than a heap.
constexpr unsigned kMaxCompactAttributes = 64;

herr_t TakeFirst(unsigned depth, const H5E_error2_t* entry, void* reason) {
  if (depth == 0 && entry->desc != nullptr) *static_cast<std::string*>(reason) = entry->desc;
  return 0;
}

// "/a/b/" → {"/a", "/a/b"}
std::vector<std::string> Steps(const std::string& object) {
  std::vector<std::string> steps;
  size_t from = 0;
  while (from < object.size()) {
    const size_t slash = std::min(object.find('/', from + 1), object.size());
    if (slash > from + 1 || object[from] != '/') steps.push_back(object.substr(0, slash));
    from = slash;
  }
  return steps;
}

const char* LinkName(H5L_type_t type) {
  return type == H5L_TYPE_SOFT       ? "a soft link"
         : type == H5L_TYPE_EXTERNAL ? "an external link"
                                     : "a user-defined link";
}

}  // namespace

Lock::Lock() : guard_(Mutex()) { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

std::string Reason() {
  std::string reason = "no reason given";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, TakeFirst, &reason);
  constexpr std::string_view kMark = "error message = '";
  if (const size_t at = reason.find(kMark); at != std::string::npos) {
    const size_t from = at + kMark.size();
    return reason.substr(from, reason.find('\'', from) - from);
  }
  return reason.substr(0, reason.find('\n'));
}

void FailCall(const std::string& where, std::string_view action) {
  Fail(where, "cannot {}: {}", action, Reason());
}

bool Exists(hid_t file, const std::string& object, const std::string& where) {
  for (const std::string& step : Steps(object)) {
    const htri_t found = H5Lexists(file, step.c_str(), H5P_DEFAULT);
    if (found < 0) FailCall(where, fmt::format("look up {}", step));
    if (found == 0) return false;
    H5L_info_t info;
    Check(H5Lget_info(file, step.c_str(), &info, H5P_DEFAULT), where, "read the link");
    if (info.type != H5L_TYPE_HARD) {
      Fail(where, "{} is {}, which is not followed; store the object itself", step,
           LinkName(info.type));
    }
  }
  return true;
}

Id OpenObject(hid_t file, const std::string& object, const std::string& where) {
  if (!Exists(file, object, where)) Fail(where, "missing");
  return Own(H5Oopen(file, object.c_str(), H5P_DEFAULT), H5Oclose, where, "open the object");
}

Id DatasetProperties(const std::string& where) {
  Id properties = Own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, where, "set properties");
  Check(H5Pset_obj_track_times(properties, false), where, "set properties");
  Check(H5Pset_attr_phase_change(properties, kMaxCompactAttributes, 0), where, "set properties");
  return properties;
}

void MakeGroups(hid_t file, const std::string& object, const std::string& where) {
  const Id create = Own(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, where, "set properties");
  Check(H5Pset_obj_track_times(create, false), where, "set properties");
  Check(H5Pset_attr_phase_change(create, kMaxCompactAttributes, 0), where, "set properties");
  const Id link = Own(H5Pcreate(H5P_LINK_CREATE), H5Pclose, where, "set properties");
  Check(H5Pset_char_encoding(link, H5T_CSET_UTF8), where, "set properties");
  for (const std::string& step : Steps(object)) {
    if (H5Lexists(file, step.c_str(), H5P_DEFAULT) > 0) continue;
    Own(H5Gcreate2(file, step.c_str(), link, create, H5P_DEFAULT), H5Gclose, where,
        "make the group");
  }
}

std::string Parent(const std::string& object) {
  const size_t slash = object.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : object.substr(0, slash);
}

}  // namespace sparsify::hdf5

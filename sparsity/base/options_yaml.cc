#include "sparsity/base/options_yaml.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/options_values.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

using Kind = YamlNode::Kind;

constexpr int64_t kMaxFileBytes = int64_t{1} << 20;
constexpr std::string_view kExtends = "extends";
constexpr int kMostBases = 8;

std::string Join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

/// Reads one map; nested maps get a reader of their own.
class MapReader : public OptionVisitor {
 public:
  /// `node` may be null: every key keeps its default.
  MapReader(const YamlNode* node, std::string path) : node_(node), path_(std::move(path)) {
    if (node_ == nullptr || node_->kind == Kind::kMap || node_->kind == Kind::kNull) return;
    FailUsage(Place(*node_), "{}, expected a map of keys and values", node_->Describe());
  }

  void Run(const Body& fields) {
    fields(*this);
    RefuseUnknownKeys();
  }

 protected:
  void OnField(const OptionField& field) override {
    if (const YamlNode* value = Take(field.key)) {
      AssignOption(field, *value, Join(path_, field.key));
    }
  }

  void OnSection(std::string_view key, std::string_view, bool* present,
                 const Body& fields) override {
    const YamlNode* value = Take(key);
    if (present != nullptr && value != nullptr) *present = value->kind != Kind::kNull;
    if (present != nullptr && !*present) return;
    MapReader(value, Join(path_, key)).Run(fields);
  }

  void OnTyped(std::string& type, std::vector<Variant> variants, std::string_view) override {
    OptionField field = {"type", OptionTarget(&type), {}, {}, {}};
    for (const Variant& variant : variants) field.choices.push_back(variant.type);
    OnField(field);
    const YamlNode* kwargs = Take("kwargs");
    for (const Variant& variant : variants) {
      if (variant.type == type) MapReader(kwargs, Join(path_, "kwargs")).Run(variant.fields);
    }
  }

 private:
  const YamlNode* Take(std::string_view key) {
    known_.emplace_back(key);
    return node_ == nullptr ? nullptr : node_->Find(key);
  }

  std::string Place(const YamlNode& node) const {
    return path_.empty() ? node.where : node.where + ": " + path_;
  }

  void RefuseUnknownKeys() const {
    if (node_ == nullptr) return;
    for (const YamlKey& key : node_->keys) {
      if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) continue;
      const std::string place = path_.empty() ? key.where : key.where + ": " + path_;
      if (known_.empty()) FailUsage(place, "unknown key \"{}\"; no keys belong here", key.text);
      const std::string nearest = NearestName(key.text, known_);
      const std::string hint =
          nearest.empty() ? "" : fmt::format("; nearest known key: \"{}\"", nearest);
      FailUsage(place, "unknown key \"{}\"{}; known keys: {}", key.text, hint,
                fmt::join(known_, ", "));
    }
  }

  const YamlNode* node_;
  const std::string path_;
  std::vector<std::string> known_;
};

std::vector<std::string> SplitPath(std::string_view key) {
  std::vector<std::string> parts(1);
  for (const char c : key) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// The value of `key` in `map`, made if it is not there.
YamlNode& FindOrAdd(YamlNode& map, const std::string& key, const std::string& where) {
  for (size_t i = 0; i < map.keys.size(); ++i) {
    if (map.keys[i].text != key) continue;
    map.keys[i].where = where;
    return map.items[i];
  }
  map.keys.push_back({key, where});
  map.items.emplace_back().where = where;
  return map.items.back();
}

/// Removes `key` from the map and returns its value.
std::optional<YamlNode> TakeKey(YamlNode& map, std::string_view key) {
  for (size_t i = 0; i < map.keys.size(); ++i) {
    if (map.keys[i].text != key) continue;
    std::optional<YamlNode> value = std::move(map.items[i]);
    map.keys.erase(map.keys.begin() + static_cast<ptrdiff_t>(i));
    map.items.erase(map.items.begin() + static_cast<ptrdiff_t>(i));
    return value;
  }
  return std::nullopt;
}

bool IsOfAnotherType(const YamlNode& a, const YamlNode& b) {
  const YamlNode* of_a = a.Find("type");
  const YamlNode* of_b = b.Find("type");
  return of_a != nullptr && of_b != nullptr && of_a->text != of_b->text;
}

/// Adds what `map` lacks of `base`, map by map; the kwargs of another type are not for this one.
void AddMissing(YamlNode base, YamlNode& map) {
  if (map.kind == Kind::kNull) map.kind = Kind::kMap;
  const bool is_other = IsOfAnotherType(base, map);
  for (size_t i = 0; i < base.keys.size(); ++i) {
    YamlNode* own = map.Find(base.keys[i].text);
    if (is_other && base.keys[i].text == "kwargs") continue;
    if (own == nullptr) {
      map.keys.push_back(std::move(base.keys[i]));
      map.items.push_back(std::move(base.items[i]));
    } else if (own->kind == Kind::kMap && base.items[i].kind == Kind::kMap) {
      AddMissing(std::move(base.items[i]), *own);
    }
  }
}

}  // namespace

OptionsDocument::OptionsDocument(YamlNode root, std::string name)
    : root_(std::move(root)), name_(std::move(name)) {
  if (root_.kind != Kind::kMap && root_.kind != Kind::kNull) {
    FailUsage(root_.where, "{}, expected a map of keys and values", root_.Describe());
  }
}

OptionsDocument OptionsDocument::FromFile(const std::string& path) {
  try {
    return FromText(ReadFile(path, kMaxFileBytes), path);
  } catch (const Error& error) {
    throw Error(ErrorKind::kUsage, error.what());
  }
}

OptionsDocument OptionsDocument::FromExtending(const std::string& path) {
  OptionsDocument document = FromFile(path);
  std::string extending = path;
  for (int depth = 0; std::optional<YamlNode> extends = TakeKey(document.root_, kExtends);
       ++depth) {
    if (extends->kind != Kind::kScalar || extends->text.empty()) {
      FailUsage(extends->where, "{}: {}, expected the path of a file", kExtends,
                extends->Describe());
    }
    if (depth == kMostBases) {
      FailUsage(extends->where, "{}: more than {} files build on each other, or one on itself",
                kExtends, kMostBases);
    }
    extending = (std::filesystem::path(extending).parent_path() / extends->text).string();
    if (!std::filesystem::exists(extending)) {
      FailUsage(extends->where, "{}: there is no file {}", kExtends, extending);
    }
    AddMissing(FromFile(extending).root_, document.root_);
  }
  return document;
}

OptionsDocument OptionsDocument::FromText(const std::string& text, const std::string& name) {
  return {ParseYaml(text, name), name};
}

void OptionsDocument::Set(const std::string& assignment) {
  const std::string where = "--set " + assignment;
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos) FailUsage(where, "expected KEY=VALUE, found no \"=\"");
  const std::string key(Trim(std::string_view(assignment).substr(0, equals)));
  const std::vector<std::string> parts = SplitPath(key);
  if (std::find(parts.begin(), parts.end(), "") != parts.end()) {
    FailUsage(where, "\"{}\" is not a key; keys look like sparsity.scheduler.type", key);
  }
  YamlNode value = ParseYaml(assignment.substr(equals + 1), where, YamlPlaces::kSourceOnly);
  YamlNode* place = &root_;
  for (const std::string& part : parts) {
    if (place->kind == Kind::kNull) place->kind = Kind::kMap;
    if (place->kind != Kind::kMap) {
      FailUsage(where, "\"{}\" lies inside {}, which is not a map of keys", part,
                place->Describe());
    }
    place = &FindOrAdd(*place, part, where);
  }
  *place = std::move(value);
}

void OptionsDocument::ReadFields(const OptionVisitor::Body& fields) const {
  MapReader(&root_, "").Run(fields);
}

void OptionsDocument::ReadFieldsAt(std::string_view key, const OptionVisitor::Body& fields) const {
  MapReader(FindPath(key), std::string(key)).Run(fields);
}

std::string OptionsDocument::Where(std::string_view key) const {
  std::string_view part = key;
  while (!part.empty()) {
    if (const YamlNode* node = FindPath(part)) return fmt::format("{}: {}", node->where, key);
    const size_t dot = part.rfind('.');
    part = dot == std::string_view::npos ? std::string_view() : part.substr(0, dot);
  }
  return fmt::format("{}: {}", name_, key);
}

const YamlNode* OptionsDocument::FindPath(std::string_view key) const {
  const YamlNode* node = &root_;
  for (const std::string& part : SplitPath(key)) {
    if (node->kind != Kind::kMap) return nullptr;
    node = node->Find(part);
    if (node == nullptr) return nullptr;
  }
  return node;
}

}  // namespace sparsify

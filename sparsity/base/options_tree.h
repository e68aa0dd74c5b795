// YAML text as a plain tree in which every value knows where it was written. The only
// reader of YAML: hostile input (deep nesting, alias bombs, huge files) ends in an Error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sparsify {

struct YamlKey {
  std::string text;
  std::string where;
};

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  std::string text;           // scalar: as written, quotes resolved; null: the word used
  bool plain = true;          // scalar: written without quotes
  std::string where;          // "file.yaml:12:9", lines and columns from 1
  std::vector<YamlKey> keys;  // map: keys[i] belongs to items[i]
  std::vector<YamlNode> items;

  /// The value of `key` in a map, or null.
  YamlNode* Find(std::string_view key);
  const YamlNode* Find(std::string_view key) const;
  /// "a map", "a list", "nothing", "\"text\"": for messages.
  std::string Describe() const;
};

/// How a value's place is written: the source's name alone, or with line and column.
enum class YamlPlaces { kLineAndColumn, kSourceOnly };

/// One YAML document, at most 1 MiB, nested at most 64 deep. Empty text gives kNull.
/// Python's None counts as null when unquoted. Aliases are resolved by copying, within a
/// budget. Throws usage Errors for anything else: syntax, duplicate keys, several documents.
YamlNode ParseYaml(const std::string& text, const std::string& source,
                   YamlPlaces places = YamlPlaces::kLineAndColumn);

}  // namespace sparsify

// A run's configuration document: a YAML file, what --set changed in it, and the place of
// every value, read into options structs through their VisitFields.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "sparsity/base/options.h"
#include "sparsity/base/options_tree.h"

namespace sparsify {

class OptionsDocument {
 public:
  /// Reads and parses a file; see ParseYaml for limits and errors. All errors are usage ones.
  static OptionsDocument FromFile(const std::string& path);
  /// As FromFile, but a file may build on another: `extends: base.yaml`, a path from its own
  /// folder, gives the keys that it does not have itself, map by map (lists and values are replaced
  /// whole, and so are the kwargs of another `type`). Bases may extend others, 8 deep.
  static OptionsDocument FromExtending(const std::string& path);
  /// From text; `name` stands where the file name stands in messages.
  static OptionsDocument FromText(const std::string& text, const std::string& name);

  /// Applies one `a.b.c=VALUE` of the command line, VALUE any YAML. Maps on the way are
  /// created. Later messages about this value name the assignment instead of the file.
  void Set(const std::string& assignment);

  /// Reads every key into `options`, which holds the defaults before. Throws usage Errors
  ///   "file.yaml:12:9: section: unknown key "foo"; nearest known key: "fool"; known keys: fool, …"
  /// for unknown keys and for values that AssignOption refuses.
  template <class T>
  void Read(T& options) const {
    ReadFields([&options](OptionVisitor& v) { options.VisitFields(v); });
  }
  void ReadFields(const OptionVisitor::Body& fields) const;
  /// Reads the map at `key` ("data.transform") alone; the rest of the document may be anything.
  template <class T>
  void ReadAt(std::string_view key, T& options) const {
    ReadFieldsAt(key, [&options](OptionVisitor& v) { options.VisitFields(v); });
  }
  void ReadFieldsAt(std::string_view key, const OptionVisitor::Body& fields) const;

  /// "file.yaml:12:9: a.b.c", for messages about a value that was read. A key that is not in
  /// the document is placed where its nearest section is, or at the file.
  std::string Where(std::string_view key) const;
  bool Has(std::string_view key) const { return FindPath(key) != nullptr; }

 private:
  OptionsDocument(YamlNode root, std::string name);
  const YamlNode* FindPath(std::string_view key) const;

  YamlNode root_;
  std::string name_;
};

}  // namespace sparsify

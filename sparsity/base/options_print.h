// Options written out: the resolved configuration, --help-config, and the reference page,
// each from the same VisitFields that reads them.
#pragma once

#include <string>

#include "sparsity/base/options.h"

namespace sparsify {

/// YAML that OptionsDocument reads back to equal options: every key, defaults included.
/// Of a `type:` with `kwargs:` only the chosen type's.
std::string ResolvedYaml(const OptionVisitor::Body& fields);

/// For a terminal: a line per key with default, type, range or choices and help, indented
/// by nesting; every type's kwargs.
std::string OptionsHelp(const OptionVisitor::Body& fields);

/// For docs/: a Markdown table per section.
std::string OptionsMarkdown(const OptionVisitor::Body& fields);

/// The visit of a struct, for the functions above: Fields(config).
template <class T>
OptionVisitor::Body Fields(T& options) {
  return [&options](OptionVisitor& v) { options.VisitFields(v); };
}

}  // namespace sparsify

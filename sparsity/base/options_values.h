// Values of options from YAML scalars and back: the rules for numbers, booleans, text and
// null, with messages that say what was expected.
#pragma once

#include <string>
#include <string_view>

#include "sparsity/base/options.h"
#include "sparsity/base/options_tree.h"

namespace sparsify {

/// Writes `node` to the field's target. `key` is the dotted path for messages. Throws usage
/// Errors for a wrong type, a value out of range, or one that is not among the choices.
///   bool     True, true, TRUE, False, …
///   int64    whole numbers; 16.0 and 1e3 count, 0.5 does not
///   double   finite decimal numbers
///   text     any scalar; null only for optionals
///   list     of these
void AssignOption(const OptionField& field, const YamlNode& node, const std::string& key);

/// The value as YAML that AssignOption reads back to the same bits: True, 0.5, "text",
/// [1, 2], None.
std::string FormatOption(const OptionField& field);

/// "true or false", "integer", "list of numbers", "text or None" …
std::string OptionTypeName(const OptionField& field);

/// "1 … 8", "> 0", "0 ≤ x < 100"; empty when unbounded.
std::string FormatRange(const Range& range);

/// `text` as a YAML scalar, quoted where it has to be.
std::string QuoteYaml(std::string_view text);

}  // namespace sparsify

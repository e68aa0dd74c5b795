// Small text helpers shared by messages, options and tables: name distance, comma lists,
// sizes and durations for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sparsify {

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of
/// neighbours, ASCII case ignored.
int64_t EditDistance(std::string_view a, std::string_view b);

/// The known name closest to `name`, or empty when none is close enough to be what was
/// meant (distance above a third of the longer one, and neither contains the other).
std::string NearestName(std::string_view name, const std::vector<std::string>& known);

/// "; did you mean "fool"?" or "" — to be appended to an unknown-name message.
std::string DidYouMean(std::string_view name, const std::vector<std::string>& known);

/// "a, b,c" → {"a", "b", "c"}: spaces around items go, empty items are dropped.
std::vector<std::string> SplitCommaList(std::string_view list);

/// `text` without white space at both ends.
std::string_view Trim(std::string_view text);

/// "713 B", "1.5 MB", "2.00 GB": decimal units, three digits.
std::string FormatBytes(int64_t bytes);

/// "0.8 s", "45 s", "3 min 20 s", "2 h 05 min".
std::string FormatSeconds(double seconds);

}  // namespace sparsify

// Text made safe for XML and HTML.
#pragma once

#include <string>
#include <string_view>

namespace sparsify {

/// `text` as character data or as an attribute value in double quotes: & < > " ' become
/// entities; what XML 1.0 cannot carry (control characters, broken UTF-8) becomes U+FFFD.
std::string EscapeMarkup(std::string_view text);

/// Number of code points of valid UTF-8.
size_t CodePoints(std::string_view text);

/// At most `limit` code points, the middle replaced by "…" when something is cut.
std::string Shorten(std::string_view text, size_t limit);

}  // namespace sparsify

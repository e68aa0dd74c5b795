#include "sparsity/report/markup.h"

#include <algorithm>
#include <cstdint>

namespace sparsify {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool IsContinuation(char c) { return (c & 0xc0) == 0x80; }

// Bytes of the code point at the front, 0 when it is broken or not allowed in XML.
size_t ValidPrefix(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) {
    const bool allowed = lead >= 0x20 ? lead != 0x7f : lead == '\t' || lead == '\n' || lead == '\r';
    return allowed ? 1 : 0;
  }
  const size_t length = lead >= 0xf0 ? 4 : (lead >= 0xe0 ? 3 : 2);
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  uint32_t code = lead & (0x7fU >> length);
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(text[i])) return 0;
    code = code << 6 | (text[i] & 0x3fU);
  }
  const uint32_t smallest = length == 4 ? 0x10000 : (length == 3 ? 0x800 : 0x80);
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  if (code < smallest || code > 0x10ffff || surrogate || code == 0xfffe || code == 0xffff) return 0;
  return length;
}

std::string_view EntityOf(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

// Byte position after `count` code points.
size_t Advance(std::string_view text, size_t count) {
  size_t at = 0;
  for (; count > 0 && at < text.size(); --count) {
    ++at;
    while (at < text.size() && IsContinuation(text[at])) ++at;
  }
  return at;
}

}  // namespace

std::string EscapeMarkup(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    const size_t length = ValidPrefix(text);
    const std::string_view entity = EntityOf(text[0]);
    if (length == 0) {
      escaped += kReplacement;
    } else if (!entity.empty()) {
      escaped += entity;
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(1, length));
  }
  return escaped;
}

size_t CodePoints(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

std::string Shorten(std::string_view text, size_t limit) {
  const size_t length = CodePoints(text);
  if (length <= limit) return std::string(text);
  if (limit == 0) return "";
  const size_t tail = (limit - 1) * 2 / 3;  // the end of a layer's name tells more
  const size_t head = limit - 1 - tail;
  return std::string(text.substr(0, Advance(text, head))) + "…" +
         std::string(text.substr(Advance(text, length - tail)));
}

}  // namespace sparsify

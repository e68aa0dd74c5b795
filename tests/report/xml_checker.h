// A small strict XML reader for the tests of generated markup.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace sparsify {

struct XmlElement {
  std::string name;
  std::map<std::string, std::string> attributes;  // entities resolved
  std::string text;                               // directly inside, entities resolved
  std::string parent;                             // "" for the root
};

/// Elements in the order they open. A doctype in front is passed over. Throws
/// std::runtime_error on anything that is not well-formed: unclosed or crossed tags, bare
/// '<' or '&', unknown entities, unquoted or repeated attributes, control characters, text
/// outside the root.
std::vector<XmlElement> ParseXml(const std::string& text);

/// How many elements have this name.
int CountElements(const std::vector<XmlElement>& elements, const std::string& name);

}  // namespace sparsify

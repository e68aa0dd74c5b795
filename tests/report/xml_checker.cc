#include "xml_checker.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace sparsify {
namespace {

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {
    for (const char c : text_) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 && c != '\n' && c != '\t' && c != '\r') Stop("control character");
    }
  }

  std::vector<XmlElement> Parse() {
    if (text_.starts_with("<!DOCTYPE html>")) at_ = 15;
    while (at_ < text_.size()) {
      if (text_[at_] != '<') {
        Text();
      } else if (text_.compare(at_, 2, "</") == 0) {
        Close();
      } else {
        Open();
      }
    }
    if (!open_.empty()) Stop("unclosed " + elements_[open_.back()].name);
    if (elements_.empty()) Stop("no element");
    return elements_;
  }

 private:
  [[noreturn]] void Stop(const std::string& what) const {
    throw std::runtime_error(what + " near: " + text_.substr(at_ > 40 ? at_ - 40 : 0, 80));
  }

  void Text() {
    const size_t end = std::min(text_.find('<', at_), text_.size());
    const std::string content = Resolve(text_.substr(at_, end - at_));
    if (open_.empty()) {
      if (content.find_first_not_of(" \n") != std::string::npos) Stop("text outside the root");
    } else {
      elements_[open_.back()].text += content;
    }
    at_ = end;
  }

  void Close() {
    at_ += 2;
    const std::string name = Name();
    if (open_.empty() || elements_[open_.back()].name != name) Stop("wrong closing " + name);
    open_.pop_back();
    Expect(">");
  }

  void Open() {
    ++at_;
    XmlElement element;
    element.name = Name();
    if (open_.empty() && !elements_.empty()) Stop("second root");
    if (!open_.empty()) element.parent = elements_[open_.back()].name;
    while (std::isspace(static_cast<unsigned char>(Peek()))) {
      SkipSpace();
      if (Peek() == '>' || Peek() == '/') break;
      Attribute(element);
    }
    const bool empty = Peek() == '/';
    if (empty) ++at_;
    Expect(">");
    if (!empty) open_.push_back(elements_.size());
    elements_.push_back(element);
  }

  void Attribute(XmlElement& element) {
    const std::string name = Name();
    Expect("=\"");
    const size_t end = text_.find('"', at_);
    if (end == std::string::npos) Stop("open attribute");
    const std::string value = text_.substr(at_, end - at_);
    if (value.find('<') != std::string::npos) Stop("'<' in an attribute");
    if (!element.attributes.emplace(name, Resolve(value)).second) Stop("repeated " + name);
    at_ = end + 1;
  }

  std::string Resolve(const std::string& raw) const {
    static const std::map<std::string, std::string> kEntities = {
        {"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"#39", "'"}};
    std::string resolved;
    for (size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '&') {
        resolved += raw[i];
        continue;
      }
      const size_t end = raw.find(';', i);
      const auto entity = end == std::string::npos ? kEntities.end()
                                                   : kEntities.find(raw.substr(i + 1, end - i - 1));
      if (entity == kEntities.end()) Stop("bad entity in " + raw.substr(i, 10));
      resolved += entity->second;
      i = end;
    }
    return resolved;
  }

  std::string Name() {
    const size_t start = at_;
    while (std::isalnum(static_cast<unsigned char>(Peek())) || Peek() == '-' || Peek() == ':')
      ++at_;
    if (at_ == start) Stop("name expected");
    return text_.substr(start, at_ - start);
  }

  void Expect(const std::string& token) {
    if (text_.compare(at_, token.size(), token) != 0) Stop("expected " + token);
    at_ += token.size();
  }

  void SkipSpace() {
    while (std::isspace(static_cast<unsigned char>(Peek()))) ++at_;
  }

  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  const std::string& text_;
  size_t at_ = 0;
  std::vector<XmlElement> elements_;
  std::vector<size_t> open_;
};

}  // namespace

std::vector<XmlElement> ParseXml(const std::string& text) { return Parser(text).Parse(); }

int CountElements(const std::vector<XmlElement>& elements, const std::string& name) {
  return static_cast<int>(std::count_if(elements.begin(), elements.end(),
                                        [&](const XmlElement& e) { return e.name == name; }));
}

}  // namespace sparsify
